/* SPDX-License-Identifier: GPL-2.0-or-later
 * The presence server of this Kamailio.
 */
#include "shim.h"

#include "modules/presence/bind_presence.h"

/* What the presence module has given; set before the fork. */
static presence_api_t pb2b_presence;

int pb2b_presence_bind(void)
{
	/* presence_load_api() logs an error where the module is not loaded */
	bind_presence_t bind = (bind_presence_t)find_export("bind_presence", 1, 0);

	if(bind == NULL || bind(&pb2b_presence) < 0 || pb2b_presence.update_presentity == NULL || pb2b_presence.contains_event == NULL)
		return -1;
	return 0;
}

int pb2b_presence_knows(str *event)
{
	return pb2b_presence.contains_event != NULL && pb2b_presence.contains_event(event, NULL) != NULL;
}

int pb2b_presence_update(str *event, str *realm, str *user, str *etag, str *body, int expires)
{
	/* A new state replaces the one with the same etag; the end of one needs it to be there, and new is 0. */
	int lives = expires > 0;

	return pb2b_presence.update_presentity(event, realm, user, etag, NULL, body, expires, lives, lives) < 0 ? -1 : 0;
}

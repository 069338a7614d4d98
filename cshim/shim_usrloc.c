/* SPDX-License-Identifier: GPL-2.0-or-later
 * The location service (module usrloc), and the registrar.
 */
#include "shim.h"

int pb2b_has_usrloc(void)
{
	return find_export("ul_bind_usrloc", 1, 0) != NULL;
}

int pb2b_load_usrloc(usrloc_api_t *out)
{
	bind_usrloc_t bind = (bind_usrloc_t)find_export("ul_bind_usrloc", 1, 0);

	memset(out, 0, sizeof(*out));
	return bind == NULL || bind(out) < 0 ? -1 : 0;
}

int pb2b_is_register(const sip_msg_t *msg)
{
	return msg->first_line.type == SIP_REQUEST && msg->first_line.u.request.method_value == METHOD_REGISTER;
}

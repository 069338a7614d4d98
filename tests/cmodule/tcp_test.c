/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tcp_test: a C module that tells of the end of all TCP connections, as the server tells of it, and leaves them open. It belongs
 * to the tests of presence_b2b. RPC: tcp_test.closed <how>; how is
 *   idle    closed by the server because it was idle (up to 6.0 no server tells)
 *   eof     closed by the other side
 *   error   a read timed out
 *   send    what waits to be sent has timed out
 *   forced  a write failed, and what was still to be read has been read
 */
#include "core/events.h"
#include "core/rpc.h"
#include "core/sr_module.h"
#include "core/tcp_conn.h"
#include "core/ver.h"

#include <string.h>

MODULE_VERSION

extern gen_lock_t *tcpconn_lock;
extern struct tcp_connection **tcpconn_id_hash;

/* Copies: their end is only told. */
static struct tcp_connection copies[8];

static int take_copies(void)
{
	struct tcp_connection *con;
	int i, count = 0;

	TCPCONN_LOCK;
	for(i = 0; i < TCP_ID_HASH_SIZE; i++) {
		for(con = tcpconn_id_hash[i]; con != NULL && count < 8; con = con->id_next)
			copies[count++] = *con;
	}
	TCPCONN_UNLOCK;
	return count;
}

static void tell(struct tcp_connection *copy, const char *how)
{
	tcp_closed_event_info_t closed;
	sr_event_param_t event;

	memset(&closed, 0, sizeof(closed));
	memset(&event, 0, sizeof(event));
	closed.reason = TCP_CLOSED_TIMEOUT;
	closed.con = copy;
	event.data = &closed;
	copy->state = S_CONN_OK;
	copy->flags &= ~F_CONN_FORCE_EOF;
	copy->wbuf_q.first = NULL;
	if(strcmp(how, "eof") == 0) {
		closed.reason = TCP_CLOSED_EOF;
		copy->state = S_CONN_EOF;
	} else if(strcmp(how, "error") == 0) {
		copy->state = S_CONN_ERROR;
	} else if(strcmp(how, "send") == 0) {
		copy->wbuf_q.first = (void *)copy;
	} else if(strcmp(how, "forced") == 0) {
		copy->flags |= F_CONN_FORCE_EOF;
	}
	sr_event_exec(SREV_TCP_CLOSED, &event);
}

static const char *closed_doc[] = {"Tells that all connections are closed", NULL};

static void rpc_closed(rpc_t *rpc, void *ctx)
{
	char *how;
	int i, count = take_copies();

	if(rpc->scan(ctx, "s", &how) != 1 || count == 0) {
		rpc->fault(ctx, 400, "tell how, and have a connection");
		return;
	}
	for(i = 0; i < count; i++)
		tell(&copies[i], how);
}

static rpc_export_t commands[] = {{"tcp_test.closed", rpc_closed, closed_doc, 0}, {NULL, NULL, NULL, 0}};

struct module_exports exports = {
		"tcp_test",		 /* module name */
		DEFAULT_DLFLAGS, /* dlopen flags */
		NULL,			 /* exported functions */
		NULL,			 /* exported parameters */
		commands,		 /* RPC commands */
		NULL,			 /* pseudo-variables */
		NULL,			 /* response function */
		NULL,			 /* module initialization */
		NULL,			 /* per-child initialization */
		NULL			 /* destroy function */
};

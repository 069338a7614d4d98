/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Thin C: what Kamailio offers as a macro or an inline function, as a function that Rust can call.
 * No decisions are made here. Functions that return int give 0 for success and a negative number for failure unless
 * their comment says otherwise. A `str` given out points into the message or structure it was read from.
 */
#ifndef PB2B_SHIM_H
#define PB2B_SHIM_H

#include <stddef.h>
#include "core/sr_module.h"
#include "core/str.h"
#include "core/dprint.h"
#include "core/mem/mem.h"
#include "core/mem/shm_mem.h"
#include "core/locking.h"
#include "core/pt.h"
#include "core/timer.h"
#include "core/timer_ticks.h"
#include "core/timer_proc.h"
#include "core/cfg/cfg.h"
#include "core/cfg/cfg_struct.h"
#include "core/globals.h"
#include "core/rpc.h"
#include "core/rpc_lookup.h"
#include "core/pvar.h"
#include "core/mod_fix.h"
#include "core/kemi.h"
#include "core/flags.h"
#include "core/fmsg.h"
#include "core/receive.h"
#include "core/route.h"
#include "core/script_cb.h"
#include "core/action.h"
#include "core/data_lump_rpl.h"
#include "core/dset.h"
#include "core/error.h"
#include "core/events.h"
#include "core/forward.h"
#include "core/counters.h"
#include "core/socket_info.h"
#include "core/parser/msg_parser.h"
#include "core/parser/parse_uri.h"
#include "core/parser/parse_to.h"
#include "core/parser/parse_cseq.h"
#include "core/parser/parse_expires.h"
#include "core/parser/parse_rr.h"
#include "core/parser/parse_content.h"
#include "lib/srdb1/db.h"
#include "modules/sl/sl.h"
#include "modules/tm/tm_load.h"
#include "modules/dialog/dlg_load.h"
#include "modules/dialog/dlg_hash.h"
#include "modules/usrloc/usrloc.h"

/* ---- constants that are expressions bindgen cannot read ---- */

static const unsigned int PB2B_RPC_RET_ARRAY = RET_ARRAY;
static const unsigned int PB2B_CFG_READONLY = CFG_READONLY;

/* ---- core: shim_core.c ---- */

void *pb2b_shm_malloc(size_t size);
void pb2b_shm_free(void *p);

void pb2b_lock_get(void *lock);
/* 1 if the lock was taken, 0 if it is held */
int pb2b_lock_try(void *lock);
void pb2b_lock_release(void *lock);

/* 1 if a line of this level would be written */
int pb2b_log_enabled(int level);
/* Writes one line as LM_* does; the line end is added. */
void pb2b_log(int level, const str *file, int line, const str *func, const str *text);

/* 1 once the server destroys its modules: its children are gone, and one that was killed may have held a lock */
int pb2b_is_ending(void);
/* At the head of an extra process's loop: takes over run-time changes of parameters. */
void pb2b_cfg_update(void);
/* In child_init: takes the parameters for this process, unless it is the main one. */
void pb2b_take_cfg(void);

/* The first `size` bytes of a group of run-time parameters, as they are now, whatever this process has taken; -1 if there is
   no such group yet, or if it has less. */
int pb2b_cfg_newest(const str *group, void *out, int size);

/* the most bytes of a message that comes over TCP; 0 when the server has none */
unsigned int pb2b_most_over_tcp(void);

/* the number of the connection that SREV_TCP_CLOSED is about; 0 when it was closed because it was idle */
int pb2b_closed_connection(const sr_event_param_t *event);
/* the number of the connection that what has just been sent there has taken; 0 when there is none, -1 when it is lost
   already; waits briefly where connections are waited for (tcp_async=no) */
int pb2b_connection_to(const struct dest_info *to);
/* whether there is a connection with this number still */
int pb2b_has_connection(int id);

/* ---- messages: shim_msg.c ---- */

/* FAKED_REPLY means "no answer came"; it is not a message and must not be read. */
int pb2b_is_faked_reply(const sip_msg_t *msg);
/* 1 when tm keeps it in shared memory: nothing that the parser finds may be linked into it */
int pb2b_is_shared(const sip_msg_t *msg);
/* the text as it came */
void pb2b_text(const sip_msg_t *msg, str *out);
/* a message of this text in private memory, which came the way that msg did; NULL without memory, or if the first line or
   the first Via is malformed */
sip_msg_t *pb2b_copy(const sip_msg_t *msg, const str *text);
void pb2b_free_copy(sip_msg_t *copy);
/* the number of the connection it came over; 0 when its transport has none */
int pb2b_connection(const sip_msg_t *msg);
/* who sent it: writes the 4 or 16 bytes of the address, and gives how many */
int pb2b_source(const sip_msg_t *msg, unsigned char *address, unsigned short *port, int *proto);
int pb2b_parse_all(sip_msg_t *msg);
/* what the server has not looked at yet, body included; -1 when a header that tells of a subscription may be among what it
   has looked at */
int pb2b_unread_headers(const sip_msg_t *msg, str *out);
int pb2b_is_request(const sip_msg_t *msg);
int pb2b_method_id(const sip_msg_t *msg);
/* 0 for a request */
int pb2b_status(const sip_msg_t *msg);
int pb2b_reason(const sip_msg_t *msg, str *out);

/* the display names of From and To as they came, if those are parsed */
void pb2b_displays(const sip_msg_t *msg, str *from, str *to);
/* NULL if the header is missing or malformed */
struct to_body *pb2b_to(sip_msg_t *msg);
int pb2b_cseq(sip_msg_t *msg, unsigned int *number, str *method);

/* These walk the headers parsed so far: call pb2b_parse_all first. A compact form has the type of its long form. */
/* the first header after prev (from the start if NULL) of that type (any if HDR_OTHER_T is not meant: use HDR_EOH_T) */
hdr_field_t *pb2b_next_header(const sip_msg_t *msg, const hdr_field_t *prev, int type);

/* The headers of a NOTIFY: the first of each, without white space around it; s is NULL where there is none. */
typedef struct pb2b_notify_headers {
	str call_id;
	str from;
	str event;
	str contact;
	str content_type;
	str subscription_state;
	str sip_etag;
	str branch; /* of the topmost Via */
	int has_record_route;
	int has_require;
	int has_content_encoding;
} pb2b_notify_headers_t;

void pb2b_read_notify_headers(const sip_msg_t *msg, pb2b_notify_headers_t *out);
/* the same by name, for headers without a type; the case of the name does not matter */
int pb2b_find_header(const sip_msg_t *msg, const char *name, int len, str *out);

/* 1 and the number; 0 if there is no Expires; -1 if it is malformed */
int pb2b_expires(sip_msg_t *msg, unsigned int *out);
/* 0 with an empty str if there is no body; -1 if the Content-Length says more than arrived */
int pb2b_body(sip_msg_t *msg, str *out);

/* one entry as it was written: "<sip:…;lr>;param" */
void pb2b_route_text(const rr_t *route, str *out);

/* the Request-URI as it came; empty for a reply */
void pb2b_request_uri(const sip_msg_t *msg, str *out);
socket_info_t *pb2b_recv_socket(const sip_msg_t *msg);

/* ---- transactions, sockets, URIs: shim_tm.c ---- */

int pb2b_load_tm(struct tm_binds *out);
int pb2b_load_xtm(tm_xapi_t *out);
/* fails quietly when the module sl is not loaded */
int pb2b_load_sl(sl_api_t *out);
/* Hears of answers by the module sl, for pb2b_is_answered(). */
int pb2b_hear_answers(const sl_api_t *sl);
/* 1 if the request has a final answer or has been sent on, by way of its transaction or without one */
int pb2b_is_answered(const struct tm_binds *tm, const sip_msg_t *msg);
/* the number in the CSeq of a local transaction */
int pb2b_cell_cseq(const struct cell *t, unsigned int *out);
/* the transaction of the message being processed; NULL if there is none */
struct cell *pb2b_current_transaction(const struct tm_binds *tm);
/* lets go of the transaction that a route has left current, and ends it when it was neither answered nor sent on */
void pb2b_let_go(const struct tm_binds *tm, sip_msg_t *msg);
/* a header for the answer to this request, with its line end; `lump` and text are the caller's, until it unlinks it */
void pb2b_lend_reply_header(sip_msg_t *msg, struct lump_rpl *lump, const str *text);

/* 1 if the URI can be parsed */
int pb2b_uri_valid(const str *uri);
/* 1 if the text can be parsed as the body of a Route header */
int pb2b_route_valid(const str *text);
/* The socket tm would send from to next_hop. Looks up names, so it can block as long as the resolver does. */
int pb2b_resolve_socket(const str *next_hop, socket_info_t *forced, socket_info_t **socket, int *proto);
/* whether the socket towards an address depends on the kernel's routes (mhomed) */
int pb2b_asks_for_routes(void);
/* what the server says about itself on this socket: the advertised address and port where there are some */
int pb2b_socket_signaling(socket_info_t *socket, str *host, str *port);
int pb2b_socket_proto(const socket_info_t *socket);

/* ---- script and other modules: shim_script.c ---- */

/* number of an event route of the native script; -1 if the script has none of this name */
int pb2b_event_route(const char *name);
/* 1 if the script is in request_route or a route that this has called */
int pb2b_in_request_route(void);
/* 1 if a KEMI engine runs the script */
int pb2b_has_kemi_engine(void);
/* Runs an event route: the native one of this number, or if that is negative the KEMI callback of this name (may be NULL).
 * The message is made up; what the route does to it and to the process's environment is undone afterwards, which must
 * not be in the middle of a message. Returns 0, negative if nothing ran. */
int pb2b_run_event_route(int number, const str *kemi_callback, const str *event, const struct tm_binds *tm);
/* Undoes what a route that tm has run has left in the process's environment; not in the middle of a message. */
void pb2b_forget_route(void);

int pb2b_load_dlg(struct dlg_binds *out);
/* 1 if this callback with this parameter is registered for the dialog */
int pb2b_dlg_has_callback(const struct dlg_cell *dlg, dialog_cb *callback, const void *param);

/* ---- metrics with labels: shim_prom.c ---- */

#define PB2B_PROM_COUNTER 0
#define PB2B_PROM_GAUGE 1
#define PB2B_PROM_HISTOGRAM 2

/* fails quietly when the module xhttp_prom is not loaded, and before Kamailio 6.1 */
int pb2b_prom_bind(void);
/* before the fork: a metric of one of the kinds above, as the modparam of xhttp_prom for that kind describes it */
int pb2b_prom_create(int kind, char *spec);
/* Adds to a counter, sets a gauge, or has a histogram observe a number. Takes a lock that the answer to Prometheus holds while it is
   written. `second` is NULL for a metric with one label. */
int pb2b_prom_give(int kind, str *name, double number, str *first, str *second);

/* ---- parameters of other modules: shim_params.c ---- */

/* The value of a parameter as it is set; negative if the module is not loaded or has no such parameter. */
int pb2b_param_int(const char *module, const char *name, int *out);
int pb2b_param_str(const char *module, const char *name, str *out);

/* ---- the location service: shim_usrloc.c ---- */

/* 1 if the module usrloc is loaded */
int pb2b_has_usrloc(void);
/* Call it when usrloc has had its mod_init: it logs an error otherwise. */
int pb2b_load_usrloc(usrloc_api_t *out);
/* 1 if the message is a REGISTER request */
int pb2b_is_register(const sip_msg_t *msg);

/* ---- databases: shim_db.c ---- */

/* the functions of a database module such as "db_sqlite"; -1 if it is not loaded, -2 if it cannot be asked for rows */
int pb2b_db_bind(const char *module, db_func_t *out);
/* While on, nothing below L_INFO is logged by this process: the library logs every value it frees, at L_DBG. */
void pb2b_db_hush(int on);
int pb2b_db_rows(const db1_res_t *result);
/* One value as text: 1, or 0 for NULL and for what has no text. Numbers are written into the 32 bytes at digits; other texts
 * point into the result. */
int pb2b_db_text(const db1_res_t *result, int row, int column, char *digits, str *out);
/* By the functions that every database module has; negative if it fails. Every value is a text. The delete compares all of them. */
int pb2b_db_query(const db_func_t *api, db1_con_t *connection, const str *table, str *columns, int count, db1_res_t **out);
int pb2b_db_insert(const db_func_t *api, db1_con_t *connection, const str *table, str *columns, str *values, int count);
int pb2b_db_delete(const db_func_t *api, db1_con_t *connection, const str *table, str *columns, str *values, int count);

/* ---- the presence server: shim_presence.c ---- */

/* once, before the fork; negative if the module presence is not loaded */
int pb2b_presence_bind(void);
/* 1 if the presence server has this event package */
int pb2b_presence_knows(str *event);
/* Makes `body` the state with this etag, for so many seconds; 0 takes the state with it away, and watchers may be told `body`.
 * Sends NOTIFYs. The texts end with a NUL, which the modules of packages rely on. */
int pb2b_presence_update(str *event, str *realm, str *user, str *etag, str *body, int expires);

/* ---- names: shim_dns.c ---- */

/* the server's cache only; not a word of what is not there in the log */
static const int PB2B_ASK_NOBODY = 0;
/* for so many milliseconds altogether; then as nobody */
static const int PB2B_ASK_BRIEFLY = 1;
static const int PB2B_ASK_ANY = 2;

/* once, before the fork */
void pb2b_watch_names(void);
/* from now on, in this process */
void pb2b_ask_names(int whom, int milliseconds);
/* 1 if a name could not be found since then, because no name server might be asked or none answered */
int pb2b_names_missed(void);
/* 1 if nobody waits for a connection to be made: whoever sends over a new one makes it known before it sends */
int pb2b_connects_aside(void);
/* 1 if a request through this socket may have to wait for a connection, or for the process that reads from it */
int pb2b_may_block(const socket_info_t *socket);

#endif

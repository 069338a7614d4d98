/* SPDX-License-Identifier: GPL-2.0-or-later
 * Memory, locks, log, processes.
 */
#include "shim.h"

#include "core/tcp_conn.h"

#include <stdio.h>
#include <unistd.h>

/* The assumptions of the Rust code. The headers were compiled with the server's own defines, so that a difference shows here. */
#define PB2B_ASSERT(what, text) _Static_assert(what, text)
PB2B_ASSERT(sizeof(void *) == 8, "only 64 bit machines are supported");
PB2B_ASSERT(sizeof(int) == 4, "int must have 32 bits");
PB2B_ASSERT(offsetof(str, s) == 0 && sizeof(str) == 16, "str is a pointer and an int");
PB2B_ASSERT(sizeof(((module_exports_t *)0)->params[0]) == 24, "param_export_t has three members");
PB2B_ASSERT(offsetof(module_exports_t, destroy_mod_f) == sizeof(module_exports_t) - sizeof(void *),
		"module_exports_t ends with the destroy function");
PB2B_ASSERT(sizeof(rpc_export_t) == 32, "rpc_export_t has four members");
PB2B_ASSERT(sizeof(gen_lock_t) <= 64, "a lock fits into a cache line");
PB2B_ASSERT(__alignof__(gen_lock_t) <= 16, "a lock needs no more than the alignment of shared memory");
PB2B_ASSERT(PARAM_USE_FUNC == 1u << 31, "parameters that call a function are marked by the highest bit");

/* How long the sender waits until its connection is known, where another process makes it known and has not come to that yet.
 * One that is not known then has come and gone. */
#define MOST_WAIT_MS 1000

/* Locks begin as zero bytes (in Rust, before they are in their place), which both kinds take for unlocked. */
#if !defined(USE_FUTEX) && !defined(FAST_LOCK)
#error "the locks of this Kamailio are neither futexes nor fast locks: they cannot be used in place"
#endif

void *pb2b_shm_malloc(size_t size)
{
	return shm_malloc(size);
}

void pb2b_shm_free(void *p)
{
	if(p != NULL)
		shm_free(p);
}

void pb2b_lock_get(void *lock)
{
	lock_get((gen_lock_t *)lock);
}

int pb2b_lock_try(void *lock)
{
	return lock_try((gen_lock_t *)lock) == 0;
}

void pb2b_lock_release(void *lock)
{
	lock_release((gen_lock_t *)lock);
}

int pb2b_log_enabled(int level)
{
	return is_printable(level);
}

/* LOG_FX writes the place of its own call; the place to report is that of the Rust code, also in structured logs, which
 * take __FILE__ and __LINE__ directly. */
#pragma GCC diagnostic ignored "-Wbuiltin-macro-redefined"
#undef __FILE__
#define __FILE__ pb2b_file
#undef __LINE__
#define __LINE__ pb2b_line

void pb2b_log(int level, const str *file, int pb2b_line, const str *func, const str *text)
{
	char pb2b_file[128];
	char name[96];
	char place[192];

	if(!is_printable(level))
		return;
	snprintf(pb2b_file, sizeof(pb2b_file), "%.*s", file->len, file->s);
	snprintf(name, sizeof(name), "%.*s", func->len, func->s);
	snprintf(place, sizeof(place), "presence_b2b [%s:%d]: ", pb2b_file, pb2b_line);
	LOG_FX(DEFAULT_FACILITY, level, NULL, place, name, "%.*s\n", text->len, text->s);
}

#undef __FILE__
#undef __LINE__

int pb2b_is_ending(void)
{
	return destroy_modules_phase();
}

void pb2b_cfg_update(void)
{
	cfg_update();
}

void pb2b_take_cfg(void)
{
	/* children forked later would share the main process's reference without being counted */
	if(!_ksr_is_main)
		cfg_update_no_cbs();
}

int pb2b_cfg_newest(const str *group, void *out, int size)
{
	cfg_group_t *found = cfg_lookup_group(group->s, group->len);

	if(found == NULL || !cfg_shmized || size > found->size)
		return -1;
	CFG_LOCK();
	memcpy(out, CFG_GROUP_DATA(*cfg_global, found), size);
	CFG_UNLOCK();
	return 0;
}

/* Up to 6.0 the server tells nothing when it closes an idle connection, and its newest versions do so as a timeout. But that
 * is also what a send or read that times out is told as, and whatever befalls a connection that a reader has once handed
 * back after some quiet seconds. */
static int is_closed_as_idle(const tcp_closed_event_info_t *closed)
{
	const struct tcp_connection *con = closed->con;

#ifdef TCP_ASYNC
	if(con->wbuf_q.first != NULL)
		return 0;
#endif
	return closed->reason == TCP_CLOSED_TIMEOUT && con->state == S_CONN_OK && !(con->flags & F_CONN_FORCE_EOF);
}

int pb2b_closed_connection(const sr_event_param_t *event)
{
	const tcp_closed_event_info_t *closed = event->data;

	return closed == NULL || closed->con == NULL || is_closed_as_idle(closed) ? 0 : closed->con->id;
}

static int connection_to(const struct dest_info *to)
{
	struct tcp_connection *con;
	struct ip_addr ip;
	int id;

	su2ip_addr(&ip, &to->to);
	con = tcpconn_get(to->id, &ip, su_getport(&to->to), NULL, 0);
	if(con == NULL && to->id != 0) /* as the server does */
		con = tcpconn_get(0, &ip, su_getport(&to->to), NULL, 0);
	if(con == NULL)
		return 0;
	id = con->id;
	tcpconn_put(con);
	return id;
}

int pb2b_connection_to(const struct dest_info *to)
{
	int id, pause, waited;

	switch(to->proto) {
		case PROTO_TCP:
		case PROTO_TLS:
		case PROTO_WS:
		case PROTO_WSS:
			break;
		default:
			return 0;
	}
	id = connection_to(to);
	/* one that the script has closed after the send is not lost */
	if(id != 0 || (to->send_flags.f & SND_F_CON_CLOSE))
		return id;
	if(pb2b_connects_aside())
		return -1; /* it was known before the send */
	for(pause = 1, waited = 0; id == 0 && waited < MOST_WAIT_MS; waited += pause, pause += pause < 20) {
		usleep(1000 * pause);
		id = connection_to(to);
	}
	return id != 0 ? id : -1;
}

int pb2b_has_connection(int id)
{
	struct tcp_connection *con = tcpconn_get(id, NULL, 0, NULL, 0);

	if(con == NULL)
		return 0;
	tcpconn_put(con);
	return 1;
}

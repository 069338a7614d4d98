/* SPDX-License-Identifier: GPL-2.0-or-later
 * Names: whether the process may ask the name servers at the moment, and how long.
 *
 * The server asks them through dns_func, which modules may replace; each process has its own. A question that may not be
 * asked gets an answer with nothing in it but a record of no use, so that the server finds no address and keeps no note of
 * that in its cache: a failure would be taken down as "does not exist" for all other users of the name.
 */
#include "shim.h"

#include <netdb.h>
#include <resolv.h>
#include <time.h>

#include "core/cfg_core.h"
#include "core/dns_func.h"
#include "core/globals.h"
#include "core/resolve.h"
#include "core/tcp_options.h"

static struct dns_func_t before;
static int is_hooked;
static int mode = 2; /* PB2B_ASK_ANY */
static long long until_ms;
static int missed;

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* One question (the root, type A), one answer (the root, type OPT, for no time). */
static int answer_of_no_use(unsigned char *answer, int size)
{
	static const unsigned char nothing[] = {0, 0, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, /* header */
			0, 0, 1, 0, 1, 0, 0, 41, 0, 1, 0, 0, 0, 0, 0, 0};

	missed = 1;
	if(size < (int)sizeof(nothing))
		return -1;
	memcpy(answer, nothing, sizeof(nothing));
	return (int)sizeof(nothing);
}

/* Seconds that may still be waited for name servers; 0 if none may be asked. */
static int patience(void)
{
	long long left = mode == PB2B_ASK_BRIEFLY ? until_ms - now_ms() : 0;

	return left <= 0 ? 0 : (int)((left + 999) / 1000);
}

/* The resolver's own patience is as long as the server's parameters make it, unless that is longer. */
static void limit_resolver(int seconds, int *time, int *tries)
{
	*time = _res.retrans;
	*tries = _res.retry;
	if(_res.retrans * _res.retry > seconds) {
		_res.retrans = seconds;
		_res.retry = 1;
	}
}

static int search(const char *name, int class, int type, unsigned char *answer, int size)
{
	int seconds, time, tries, got;

	if(mode == PB2B_ASK_ANY)
		return before.sr_res_search(name, class, type, answer, size);
	seconds = patience();
	if(seconds == 0)
		return answer_of_no_use(answer, size);
	limit_resolver(seconds, &time, &tries);
	got = before.sr_res_search(name, class, type, answer, size);
	_res.retrans = time;
	_res.retry = tries;
	/* no name server has answered, or not with an answer */
	return got < 0 && h_errno == TRY_AGAIN ? answer_of_no_use(answer, size) : got;
}

/* Where the server has no cache of its own. */
static struct hostent *by_name(const char *name, int family)
{
	int seconds, time, tries;
	struct hostent *got;

	if(mode != PB2B_ASK_ANY) {
		seconds = patience();
		if(seconds == 0) {
			missed = 1;
			h_errno = TRY_AGAIN;
			return NULL;
		}
		limit_resolver(seconds, &time, &tries);
	}
	got = family == AF_UNSPEC ? before.sr_gethostbyname(name) : before.sr_gethostbyname2(name, family);
	if(mode != PB2B_ASK_ANY) {
		_res.retrans = time;
		_res.retry = tries;
	}
	return got;
}

static struct hostent *host_by_name(const char *name)
{
	return by_name(name, AF_UNSPEC);
}

static struct hostent *host_by_name2(const char *name, int family)
{
	return by_name(name, family);
}

void pb2b_watch_names(void)
{
	struct dns_func_t ours;

	if(is_hooked)
		return;
	is_hooked = 1;
	before = dns_func;
	ours = dns_func;
	ours.sr_res_search = search;
	ours.sr_gethostbyname = host_by_name;
	if(before.sr_gethostbyname2 != NULL)
		ours.sr_gethostbyname2 = host_by_name2;
	load_dnsfunc(&ours);
}

void pb2b_ask_names(int whom, int milliseconds)
{
	mode = whom;
	until_ms = whom == PB2B_ASK_BRIEFLY ? now_ms() + milliseconds : 0;
	missed = 0;
	/* a name that is only looked up in the cache is no error if it is not there */
	if(whom == PB2B_ASK_NOBODY)
		set_local_debug_level(L_ALERT);
	else
		reset_local_debug_level();
}

int pb2b_names_missed(void)
{
	return missed;
}

int pb2b_connects_aside(void)
{
	return cfg_get(tcp, tcp_cfg, async) && cfg_get(tcp, tcp_cfg, tcp_connect_wait);
}

unsigned int pb2b_most_over_tcp(void)
{
	/* the last byte of the buffer is for the end of the text */
	return tcp_disable ? 0 : cfg_get(tcp, tcp_cfg, rd_buf_size) - 1;
}

int pb2b_may_block(const socket_info_t *socket)
{
	switch(socket->proto) {
		case PROTO_UDP:
			return 0;
		case PROTO_TCP:
		case PROTO_TLS:
		case PROTO_WS:
		case PROTO_WSS:
			return !pb2b_connects_aside();
		default:
			return 1;
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later
 * Transactions, sockets, URIs.
 */
#include "shim.h"

#include "core/ut.h"
#include "modules/tm/h_table.h"
#include "modules/tm/ut.h"

int pb2b_load_tm(struct tm_binds *out)
{
	return load_tm_api(out) < 0 ? -1 : 0;
}

int pb2b_load_xtm(tm_xapi_t *out)
{
	return tm_load_xapi(out) < 0 ? -1 : 0;
}

/* Not sl_load_api(), which logs an error where the module is not loaded. */
int pb2b_load_sl(sl_api_t *out)
{
	bind_sl_f bind = (bind_sl_f)find_export("bind_sl", 0, 0);

	return bind == NULL || bind(out) < 0 ? -1 : 0;
}

/* the newest request that sl has answered in this process */
static unsigned int answered_id = 0;
static int answered_pid = 0;

static void note_answer(sl_cbp_t *params)
{
	if(params->req != NULL && params->code >= 200) {
		answered_id = params->req->id;
		answered_pid = params->req->pid;
	}
}

int pb2b_hear_answers(const sl_api_t *sl)
{
	static sl_cbelem_t element;

	memset(&element, 0, sizeof(element));
	element.type = SLCB_REPLY_READY;
	element.cbf = note_answer;
	return sl->register_cb(&element) < 0 ? -1 : 0;
}

int pb2b_is_answered(const struct tm_binds *tm, const sip_msg_t *msg)
{
	const struct cell *t = tm->t_gett();

	if(t != NULL && t != T_UNDEFINED && (t->uas.status >= 200 || t->nr_of_outgoings > 0))
		return 1;
	return answered_pid == msg->pid && answered_id == msg->id && answered_pid != 0;
}

/* Kamailio 6.0 renamed it. */
#if VERSIONVAL >= 6000000
#define CELL_CSEQ cseq_hdr_n
#else
#define CELL_CSEQ cseq_n
#endif

/* tm's field is the number alone for a request being relayed and "CSeq: <number>" for one of our own. */
int pb2b_cell_cseq(const struct cell *t, unsigned int *out)
{
	str digits = t->CELL_CSEQ;

	while(digits.len > 0 && (digits.s[digits.len - 1] < '0' || digits.s[digits.len - 1] > '9'))
		digits.len--;
	digits.s += digits.len;
	digits.len = 0;
	while(digits.s > t->CELL_CSEQ.s && digits.s[-1] >= '0' && digits.s[-1] <= '9') {
		digits.s--;
		digits.len++;
	}
	return digits.len > 0 && str2int(&digits, out) == 0 ? 0 : -1;
}

struct cell *pb2b_current_transaction(const struct tm_binds *tm)
{
	struct cell *t = tm->t_gett();

	return t == T_UNDEFINED ? NULL : t;
}

/* t_unref() would end it as well, by what it knows of the newest request of this process: of a SUBSCRIBE of ours. */
void pb2b_let_go(const struct tm_binds *tm, sip_msg_t *msg)
{
	struct cell *t = tm->t_gett();

	if(t != NULL && t != T_UNDEFINED) {
		if(t->uas.status < 200 && t->nr_of_outgoings == 0)
			tm->t_release_transaction(t);
		tm->t_unref(msg);
	}
	tm->t_sett(T_UNDEFINED, T_BR_UNDEFINED);
}

void pb2b_lend_reply_header(sip_msg_t *msg, struct lump_rpl *lump, const str *text)
{
	struct lump_rpl **end = &msg->reply_lump;

	lump->text = *text;
	lump->flags = LUMP_RPL_HDR | LUMP_RPL_NODUP | LUMP_RPL_NOFREE;
	lump->next = NULL;
	while(*end != NULL)
		end = &(*end)->next;
	*end = lump;
}

int pb2b_uri_valid(const str *uri)
{
	struct sip_uri parsed;

	return uri->s != NULL && uri->len > 0 && parse_uri(uri->s, uri->len, &parsed) == 0;
}

int pb2b_route_valid(const str *text)
{
	rr_t *routes = NULL;
	rr_t *r;
	int ok;

	if(text->s == NULL || text->len <= 0 || parse_rr_body(text->s, text->len, &routes) < 0)
		return 0;
	ok = routes != NULL;
	for(r = routes; r != NULL; r = r->next)
		ok = ok && pb2b_uri_valid(&r->nameaddr.uri);
	free_rr(&routes);
	return ok;
}

/* As t_uac_prepare() in tm's uac.c does it, so that the Contact we write is that of the socket tm then uses. */
int pb2b_resolve_socket(const str *next_hop, socket_info_t *forced, socket_info_t **socket, int *proto)
{
	struct dest_info dst;
	snd_flags_t flags;
	str uri = *next_hop;
	struct dest_info *found;

	SND_FLAGS_INIT(&flags);
	if(forced != NULL)
		flags.f |= SND_F_FORCE_SOCKET;
#ifdef USE_DNS_FAILOVER
	{
		struct dns_srv_handle handle;

		dns_srv_handle_init(&handle);
		found = uri2dst2(cfg_get(core, core_cfg, use_dns_failover) ? &handle : NULL, &dst, forced, flags, &uri,
				PROTO_NONE);
		dns_srv_handle_put(&handle);
	}
#else
	found = uri2dst2(&dst, forced, flags, &uri, PROTO_NONE);
#endif
	if(found == NULL || dst.send_sock == NULL)
		return -1;
	*socket = dst.send_sock;
	*proto = dst.proto;
	return 0;
}

int pb2b_asks_for_routes(void)
{
	return mhomed != 0;
}

int pb2b_socket_signaling(socket_info_t *socket, str *host, str *port)
{
	str *h = NULL;
	str *p = NULL;

	if(si_get_signaling_data(socket, &h, &p) < 0 || h == NULL || p == NULL)
		return -1;
	/* as in Via, what all sockets advertise comes before what one does */
	*host = default_global_address.len > 0 ? default_global_address : *h;
	*port = default_global_port.len > 0 ? default_global_port : *p;
	return 0;
}

int pb2b_socket_proto(const socket_info_t *socket)
{
	return socket->proto;
}

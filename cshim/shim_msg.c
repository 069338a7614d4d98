/* SPDX-License-Identifier: GPL-2.0-or-later
 * Reading SIP messages.
 */
#include "shim.h"

#include "core/parser/parse_from.h"
#include "core/trim.h"
#include "core/ut.h"

int pb2b_is_faked_reply(const sip_msg_t *msg)
{
	return msg == FAKED_REPLY;
}

int pb2b_is_shared(const sip_msg_t *msg)
{
	return (msg->msg_flags & FL_SHM_CLONE) != 0;
}

void pb2b_text(const sip_msg_t *msg, str *out)
{
	out->s = msg->buf;
	out->len = (int)msg->len;
}

sip_msg_t *pb2b_copy(const sip_msg_t *msg, const str *text)
{
	sip_msg_t *copy;
	char *buf;

	if(text->s == NULL || text->len <= 0)
		return NULL;
	copy = pkg_malloc(sizeof(*copy) + text->len + 1);
	if(copy == NULL)
		return NULL;
	memset(copy, 0, sizeof(*copy));
	buf = (char *)(copy + 1);
	memcpy(buf, text->s, text->len);
	buf[text->len] = '\0';
	copy->buf = buf;
	copy->len = text->len;
	copy->id = msg->id;
	copy->pid = msg->pid;
	copy->rcv = msg->rcv;
	if(parse_msg(buf, copy->len, copy) < 0) {
		pb2b_free_copy(copy);
		return NULL;
	}
	return copy;
}

void pb2b_free_copy(sip_msg_t *copy)
{
	free_sip_msg(copy);
	pkg_free(copy);
}

int pb2b_connection(const sip_msg_t *msg)
{
	switch(msg->rcv.proto) {
		case PROTO_TCP:
		case PROTO_TLS:
		case PROTO_WS:
		case PROTO_WSS:
			return msg->rcv.proto_reserved1;
		default:
			return 0;
	}
}

int pb2b_source(const sip_msg_t *msg, unsigned char *address,
		unsigned short *port, int *proto)
{
	int length = msg->rcv.src_ip.len == 16 ? 16 : 4;

	memcpy(address, msg->rcv.src_ip.u.addr, length);
	*port = msg->rcv.src_port;
	*proto = msg->rcv.proto;
	return length;
}

int pb2b_parse_all(sip_msg_t *msg)
{
	if(msg->eoh != NULL) /* done before */
		return 0;
	return parse_headers(msg, HDR_EOH_F, 0) < 0 ? -1 : 0;
}

int pb2b_unread_headers(const sip_msg_t *msg, str *out)
{
	if(msg->contact != NULL || msg->expires != NULL || msg->record_route != NULL
			|| (msg->parsed_flag & HDR_T2F(HDR_OTHER_T)) != 0 || msg->unparsed == NULL)
		return -1;
	out->s = msg->unparsed;
	out->len = msg->buf + msg->len - msg->unparsed;
	return 0;
}

int pb2b_is_request(const sip_msg_t *msg)
{
	return msg->first_line.type == SIP_REQUEST;
}

int pb2b_method_id(const sip_msg_t *msg)
{
	return pb2b_is_request(msg) ? msg->first_line.u.request.method_value : METHOD_UNDEF;
}

int pb2b_status(const sip_msg_t *msg)
{
	return pb2b_is_request(msg) ? 0 : (int)msg->first_line.u.reply.statuscode;
}

int pb2b_reason(const sip_msg_t *msg, str *out)
{
	if(pb2b_is_request(msg))
		return -1;
	*out = msg->first_line.u.reply.reason;
	return 0;
}

struct to_body *pb2b_to(sip_msg_t *msg)
{
	if(msg->to != NULL && msg->to->parsed != NULL)
		return get_to(msg);
	if(parse_to_header(msg) < 0 || msg->to == NULL)
		return NULL;
	return get_to(msg);
}

int pb2b_cseq(sip_msg_t *msg, unsigned int *number, str *method)
{
	struct cseq_body *cseq;

	if(msg->cseq == NULL && (parse_headers(msg, HDR_CSEQ_F, 0) < 0 || msg->cseq == NULL))
		return -1;
	cseq = get_cseq(msg);
	if(cseq == NULL || cseq->error != PARSE_OK || str2int(&cseq->number, number) < 0)
		return -1;
	*method = cseq->method;
	return 0;
}

hdr_field_t *pb2b_next_header(const sip_msg_t *msg, const hdr_field_t *prev, int type)
{
	hdr_field_t *h = prev != NULL ? prev->next : msg->headers;

	while(h != NULL && type != HDR_EOH_T && (int)h->type != type)
		h = h->next;
	return h;
}

/* for the names that the server's parser has no number for */
static inline int is_called(const hdr_field_t *h, const char *name, int len)
{
	return h->name.len == len && (memcmp(h->name.s, name, len) == 0 || strncasecmp(h->name.s, name, len) == 0);
}

/* mostly there is nothing to trim */
static inline void trim_seldom(str *s)
{
	if(s->len <= 0 || (unsigned char)s->s[0] <= ' ' || (unsigned char)s->s[s->len - 1] <= ' ')
		trim(s);
}

void pb2b_read_notify_headers(const sip_msg_t *msg, pb2b_notify_headers_t *out)
{
	static const char state[] = "Subscription-State";
	static const char etag[] = "SIP-ETag";
	hdr_field_t *h;
	str *to;

	memset(out, 0, sizeof(*out));
	if(msg->via1 != NULL && msg->via1->branch != NULL)
		out->branch = msg->via1->branch->value;
	for(h = msg->headers; h != NULL; h = h->next) {
		to = NULL;
		switch(h->type) {
			case HDR_CALLID_T:
				to = &out->call_id;
				break;
			case HDR_FROM_T:
				to = &out->from;
				break;
			case HDR_EVENT_T:
				to = &out->event;
				break;
			case HDR_CONTACT_T:
				to = &out->contact;
				break;
			case HDR_CONTENTTYPE_T:
				to = &out->content_type;
				break;
			case HDR_RECORDROUTE_T:
				out->has_record_route = 1;
				break;
			case HDR_REQUIRE_T:
				out->has_require = 1;
				break;
			case HDR_CONTENTENCODING_T:
				out->has_content_encoding = 1;
				break;
			default:
				if(is_called(h, state, sizeof(state) - 1))
					to = &out->subscription_state;
				else if(is_called(h, etag, sizeof(etag) - 1))
					to = &out->sip_etag;
		}
		if(to != NULL && to->s == NULL) {
			*to = h->body;
			trim_seldom(to);
		}
	}
}

int pb2b_find_header(const sip_msg_t *msg, const char *name, int len, str *out)
{
	hdr_field_t *h;

	for(h = msg->headers; h != NULL; h = h->next) {
		if(is_called(h, name, len)) {
			*out = h->body;
			trim(out);
			return 0;
		}
	}
	return -1;
}

int pb2b_expires(sip_msg_t *msg, unsigned int *out)
{
	exp_body_t *body;

	if(msg->expires == NULL && parse_headers(msg, HDR_EXPIRES_F, 0) < 0)
		return -1;
	if(msg->expires == NULL)
		return 0;
	if(parse_expires(msg->expires) < 0)
		return -1;
	body = (exp_body_t *)msg->expires->parsed;
	if(body == NULL || !body->valid)
		return -1;
	*out = body->val;
	return 1;
}

/* the server's own way parses the headers to their end first */
static char *start_of_body(sip_msg_t *msg)
{
	char *end = msg->eoh;

	if(end != NULL && end == msg->unparsed && msg->buf + msg->len - end >= 2 && end[0] == '\r' && end[1] == '\n')
		return end + 2;
	return get_body(msg);
}

int pb2b_body(sip_msg_t *msg, str *out)
{
	char *start = start_of_body(msg);
	long arrived, said;

	out->s = NULL;
	out->len = 0;
	if(start == NULL)
		return msg->eoh != NULL ? 0 : -1;
	arrived = msg->buf + msg->len - start;
	if(arrived < 0)
		return -1;
	/* A datagram may carry more than it says, and may say nothing: RFC 3261, 18.3. */
	said = msg->content_length != NULL ? get_content_length(msg) : arrived;
	if(said < 0 || said > arrived)
		return -1;
	out->s = start;
	out->len = (int)said;
	return 0;
}

void pb2b_route_text(const rr_t *route, str *out)
{
	out->s = route->nameaddr.name.s;
	out->len = route->len;
}

void pb2b_request_uri(const sip_msg_t *msg, str *out)
{
	memset(out, 0, sizeof(*out));
	if(pb2b_is_request(msg))
		*out = msg->first_line.u.request.uri;
}

socket_info_t *pb2b_recv_socket(const sip_msg_t *msg)
{
	return msg->rcv.bind_address;
}


/* Only what has been parsed is read: the message may be of any kind. */
void pb2b_displays(const sip_msg_t *msg, str *from, str *to)
{
	from->s = to->s = NULL;
	from->len = to->len = 0;
	if(msg->from != NULL && msg->from->parsed != NULL)
		*from = get_from(msg)->display;
	if(msg->to != NULL && msg->to->parsed != NULL)
		*to = get_to(msg)->display;
}

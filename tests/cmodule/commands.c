/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The RPC commands, through which a test uses the API. Ids are decimal texts, as they have 64 bits. A failed call is a
 * fault with the code 500 and the API's own words, an empty queue one with the code 404.
 */
#include "qsa_test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/mem/shm_mem.h"

static void fault(rpc_t *rpc, void *ctx, int err)
{
	rpc->fault(ctx, err == QSA_E_EMPTY ? 404 : 500, "%s", qsa.error_text(err));
}

static uint64_t number(const str *text)
{
	char digits[24];

	if(text->len <= 0 || text->len >= (int)sizeof(digits))
		return 0;
	memcpy(digits, text->s, text->len);
	digits[text->len] = '\0';
	return strtoull(digits, NULL, 10);
}

static void add_number(rpc_t *rpc, void *st, char *name, uint64_t value)
{
	rpc->struct_printf(st, name, "%" PRIu64, value);
}

static int status_number(const str *name)
{
	static const char *names[] = {
			"active", "pending", "terminated", "rejected"};
	int i;

	for(i = 0; i < 4; i++)
		if(name->len == (int)strlen(names[i])
				&& memcmp(name->s, names[i], name->len) == 0)
			return QSA_ACTIVE + i;
	return 0;
}

static void rpc_subscribe(rpc_t *rpc, void *ctx)
{
	qsa_subscribe_params_t params;
	qsa_subscription_t id;
	int err;

	memset(&params, 0, sizeof(params));
	params.size = sizeof(params);
	if(rpc->scan(ctx, ".S.S.S*.S", &params.package, &params.record,
			   &params.subscriber, &params.first_param)
			< 3) {
		rpc->fault(ctx, 400, "package record subscriber [first_param]");
		return;
	}
	params.queue = queue;
	params.subscriber_data =
			(void *)(long)atomic_add(&shared->subscribed, 1);
	if((err = qsa.subscribe(&params, &id)) < 0)
		fault(rpc, ctx, err);
	else
		rpc->rpl_printf(ctx, "%" PRIu64, id);
}

static void rpc_unsubscribe(rpc_t *rpc, void *ctx)
{
	str id;
	int err;

	if(rpc->scan(ctx, ".S", &id) < 1)
		rpc->fault(ctx, 400, "id");
	else if((err = qsa.unsubscribe(number(&id))) < 0)
		fault(rpc, ctx, err);
}

/** The subscription's own texts, read as a notifier that has accepted it would. */
static void rpc_look(rpc_t *rpc, void *ctx)
{
	static int (**getters[])(qsa_subscription_t, str *) = {&qsa.get_record,
			&qsa.get_subscriber, &qsa.get_package, &qsa.get_first_param};
	static char *names[] = {"record", "subscriber", "package", "first_param"};
	char buf[512];
	void *st;
	str id, text;
	int i, err;

	if(rpc->scan(ctx, ".S", &id) < 1) {
		rpc->fault(ctx, 400, "id");
		return;
	}
	if((err = qsa.accept_subscription(number(&id))) < 0) {
		fault(rpc, ctx, err);
		return;
	}
	if(rpc->add(ctx, "{", &st) < 0)
		goto done;
	for(i = 0; i < 4; i++) {
		text.s = buf;
		text.len = sizeof(buf);
		if((*getters[i])(number(&id), &text) == 0)
			rpc->struct_add(st, "S", names[i], &text);
	}
done:
	qsa.release_subscription(number(&id));
}

static void rpc_notify(rpc_t *rpc, void *ctx)
{
	str id, status, content_type, body, reason = STR_NULL;
	int err;

	if(rpc->scan(ctx, ".S.S.S.S*.S", &id, &status, &content_type, &body,
			   &reason)
			< 4) {
		rpc->fault(ctx, 400, "id status content_type body [reason]");
		return;
	}
	err = qsa.notify_subscriber(number(&id), status_number(&status), &reason,
			&content_type, &body);
	if(err < 0)
		fault(rpc, ctx, err);
}

static void rpc_data(rpc_t *rpc, void *ctx)
{
	str id, text;
	char *data;
	int err;

	if(rpc->scan(ctx, ".S.S", &id, &text) < 2) {
		rpc->fault(ctx, 400, "id text");
		return;
	}
	data = shm_malloc(text.len + 1);
	if(data == NULL) {
		fault(rpc, ctx, QSA_E_MEMORY);
		return;
	}
	memcpy(data, text.s, text.len);
	data[text.len] = '\0';
	err = qsa.notify_subscriber_data(
			number(&id), QSA_ACTIVE, NULL, text_data, data);
	if(err < 0)
		fault(rpc, ctx, err); /* the API has destroyed it */
}

static void rpc_pop(rpc_t *rpc, void *ctx)
{
	static char *statuses[] = {
			"", "active", "pending", "terminated", "rejected"};
	qsa_message_t *message;
	void *st;
	int err = qsa.queue_pop(queue, &message);
	if(err < 0) {
		fault(rpc, ctx, err);
		return;
	}
	if(rpc->add(ctx, "{", &st) < 0)
		goto done;
	add_number(rpc, st, "id", message->subscription);
	rpc->struct_add(st, "dsdSddSS", "subscriber_data",
			(int)(long)message->subscriber_data, "status",
			statuses[message->status], "code", message->code, "reason",
			&message->reason, "next_attempt", message->next_attempt, "last",
			message->last, "content_type", &message->content_type, "body",
			&message->body);
	add_list(rpc, st, message);
	if(message->data != NULL)
		rpc->struct_add(st, "s", "data", (char *)message->data);
	add_document(rpc, st, message);
done:
	qsa.free_message(message);
}

static void rpc_set(rpc_t *rpc, void *ctx)
{
	char *record, *basic, *note = "";
	int err;

	if(rpc->scan(ctx, ".s.s*.s", &record, &basic, &note) < 2) {
		rpc->fault(ctx, 400, "record open|closed [note]");
		return;
	}
	if((err = set_status(record, strcmp(basic, "open") == 0, note)) < 0)
		fault(rpc, ctx, err);
}

static void rpc_register(rpc_t *rpc, void *ctx)
{
	char *package;
	int err;

	if(rpc->scan(ctx, ".s", &package) < 1)
		rpc->fault(ctx, 400, "package");
	else if((err = register_status(package, &shared->late)) < 0)
		fault(rpc, ctx, err);
}

static void rpc_unregister(rpc_t *rpc, void *ctx)
{
	int err;

	if((err = qsa.unregister_notifier(shared->late)) < 0)
		fault(rpc, ctx, err);
}

static void rpc_counters(rpc_t *rpc, void *ctx)
{
	qsa_counters_t counters = QSA_SIZED(counters);
	void *st;
	int err;

	if((err = qsa.queue_counters(queue, &counters)) < 0) {
		fault(rpc, ctx, err);
		return;
	}
	if(rpc->add(ctx, "{", &st) < 0)
		return;
	rpc->struct_add(st, "ddddddddd", "received", (int)counters.received,
			"delivered", (int)counters.delivered, "merged",
			(int)counters.merged, "dropped", (int)counters.dropped, "queued",
			(int)counters.queued, "wakes", atomic_get(&shared->wakes), "taken",
			atomic_get(&shared->taken), "ended", atomic_get(&shared->ended),
			"destroyed", atomic_get(&shared->destroyed));
}

/** Makes a domain. For the name's '~' a zero byte is put: no text of an RPC command has one. */
static void rpc_domain(rpc_t *rpc, void *ctx)
{
	qsa_domain_t domain;
	char copy[64];
	str name;
	int i, err;

	if(rpc->scan(ctx, ".S", &name) < 1 || name.len > (int)sizeof(copy)) {
		rpc->fault(ctx, 400, "name");
		return;
	}
	for(i = 0; i < name.len; i++)
		copy[i] = name.s[i] == '~' ? '\0' : name.s[i];
	name.s = copy;
	if((err = qsa.register_domain(&name, &domain)) < 0)
		fault(rpc, ctx, err);
	else
		rpc->rpl_printf(ctx, "%" PRIu64, domain);
}

/** Counts the domains, by all numbers they could have, in which somebody takes or could take a package. */
static void rpc_reach(rpc_t *rpc, void *ctx)
{
	qsa_subscribe_params_t params = QSA_SIZED(params);
	qsa_subscription_t id;
	uint64_t high, low;
	int reached = 0;

	if(rpc->scan(ctx, ".S", &params.package) < 1) {
		rpc->fault(ctx, 400, "package");
		return;
	}
	params.record = params.subscriber = (str)str_init("sip:a@192.0.2.1");
	params.queue = queue;
	for(high = 0; high < 64; high++)
		for(low = 2; low < 100; low++) {
			params.domain = (high > 0 ? 1ULL << high : 0) | low;
			if(params.domain == low && high > 0)
				continue;
			reached += qsa.has_notifier(params.domain, &params.package) != 0;
			if(qsa.subscribe(&params, &id) == 0) {
				reached++;
				qsa.unsubscribe(id);
			}
			reached += qsa.release_domain(params.domain) == 0;
		}
	rpc->add(ctx, "d", reached);
}

/** Subscribes, and asks for counters, with structures that are larger by so many bytes, or smaller. */
static void rpc_sizes(rpc_t *rpc, void *ctx)
{
	qsa_subscribe_params_t params = QSA_SIZED(params);
	qsa_counters_t counters = QSA_SIZED(counters);
	qsa_subscription_t id;
	int by, err;

	if(rpc->scan(ctx, "d", &by) < 1) {
		rpc->fault(ctx, 400, "by");
		return;
	}
	params.size += by;
	counters.size += by;
	params.package = (str)str_init("test-nobody");
	params.record = params.subscriber = (str)str_init("sip:a@192.0.2.1");
	params.queue = queue;
	if((err = qsa.subscribe(&params, &id)) < 0
			|| (err = qsa.unsubscribe(id)) < 0
			|| (err = qsa.queue_counters(queue, &counters)) < 0)
		fault(rpc, ctx, err);
}

#define DOC(name, text) static const char *name[2] = {text, NULL}
DOC(subscribe_doc, "Subscribes: package record subscriber [first_param]. Returns the id.");
DOC(unsubscribe_doc, "Unsubscribes: id.");
DOC(look_doc, "Shows a subscription's texts: id.");
DOC(notify_doc, "Tells: id status content_type body [reason].");
DOC(data_doc, "Tells with a pointer to a text: id text.");
DOC(pop_doc, "Takes the oldest message; fault 404 when there is none.");
DOC(set_doc, "Sets internal status and tells: record open|closed [note].");
DOC(register_doc, "Registers the notifier of internal status: package.");
DOC(unregister_doc, "Unregisters the notifier registered last by RPC.");
DOC(domain_doc, "Makes a domain: name. Returns the number.");
DOC(reach_doc, "Counts the domains that can be reached: package.");
DOC(sizes_doc, "Uses structures of another size: by.");
DOC(counters_doc, "The queue's counters and this module's own.");

rpc_export_t commands[] = {{"qsa_test.subscribe", rpc_subscribe, subscribe_doc, 0},
		{"qsa_test.unsubscribe", rpc_unsubscribe, unsubscribe_doc, 0},
		{"qsa_test.look", rpc_look, look_doc, 0},
		{"qsa_test.notify", rpc_notify, notify_doc, 0},
		{"qsa_test.data", rpc_data, data_doc, 0},
		{"qsa_test.pop", rpc_pop, pop_doc, 0},
		{"qsa_test.set", rpc_set, set_doc, 0},
		{"qsa_test.register", rpc_register, register_doc, 0},
		{"qsa_test.unregister", rpc_unregister, unregister_doc, 0},
		{"qsa_test.domain", rpc_domain, domain_doc, 0},
		{"qsa_test.reach", rpc_reach, reach_doc, 0},
		{"qsa_test.sizes", rpc_sizes, sizes_doc, 0},
		{"qsa_test.counters", rpc_counters, counters_doc, 0},
		{NULL, NULL, NULL, 0}};

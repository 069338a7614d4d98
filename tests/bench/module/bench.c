/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * bench: a C module that subscribes by the thousand and takes its news from one queue. It belongs to the benchmark of
 * presence_b2b.
 *
 * With modparam "consumer" 0 the wake callback itself takes the messages, in the process that queued them; with 1 a
 * process of its own does, woken through an eventfd.
 *
 * With modparams "select_url" and "select_columns" it reads the stored subscriptions at the start, as the module does, and
 * does nothing with them: what the database interface needs for that alone.
 */
#define _GNU_SOURCE /* memmem */
#include "presence_b2b_api.h"
#include "core/atomic_ops.h"
#include "core/cfg/cfg_struct.h"
#include "core/mem/shm_mem.h"
#include "core/mod_fix.h"
#include "core/pt.h"
#include "core/rpc.h"
#include "core/sr_module.h"
#include "core/ver.h"
#include "lib/srdb1/db.h"

#include <errno.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

MODULE_VERSION

/** Four buckets for each doubling of a nanosecond: 2^36 ns is a minute. */
#define BUCKETS_NO 144
#define URI_SIZE 128
#define SQL_SIZE 4096
/** Rows of a page: as many as the module reads at a time. */
#define PAGE 1000

typedef struct shared
{
	volatile uint64_t taken; /**< messages taken */
	volatile uint64_t last; /**< of these, last ones of a subscription */
	volatile uint64_t stamped;
	volatile uint64_t buckets[BUCKETS_NO]; /**< how old stamped messages were when they were taken */
} shared_t;

static presence_b2b_api_t qsa;
static qsa_queue_t queue;
static shared_t *shared;
static int consumer = 0;
static int queue_limit = 1000000;
static int woken = -1;
static char *select_url = "";
static char *select_columns = "";
static int selected = 0;

static void add(volatile uint64_t *counter, uint64_t number)
{
	__atomic_fetch_add(counter, number, __ATOMIC_RELAXED);
}

/** The bucket of an age: the exponent of two and the two bits after the leading one. */
static int bucket_of(uint64_t age)
{
	int exponent, bucket;

	if(age < 4)
		return 0;
	exponent = 63 - __builtin_clzll(age);
	bucket = 4 * exponent + (int)((age >> (exponent - 2)) & 3);
	return bucket < BUCKETS_NO ? bucket : BUCKETS_NO - 1;
}

/** A body may say when it was sent, after "sent at ": nanoseconds of the monotonic clock, 20 digits. */
static void note_age(const str *body)
{
	static const char mark[] = "sent at ";
	struct timespec now;
	uint64_t sent = 0, time;
	char *found;
	int i;

	found = memmem(body->s, body->len, mark, sizeof(mark) - 1);
	if(found == NULL || found + sizeof(mark) - 1 + 20 > body->s + body->len)
		return;
	for(i = 0, found += sizeof(mark) - 1; i < 20; i++)
		sent = sent * 10 + (uint64_t)(found[i] - '0');
	clock_gettime(CLOCK_MONOTONIC, &now);
	time = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	add(&shared->stamped, 1);
	add(&shared->buckets[bucket_of(time > sent ? time - sent : 0)], 1);
}

static void drain(void)
{
	qsa_message_t *message;

	while(qsa.queue_pop(queue, &message) == 0) {
		add(&shared->taken, 1);
		if(message->last)
			add(&shared->last, 1);
		if(consumer && message->body.len > 0)
			note_age(&message->body);
		qsa.free_message(message);
	}
}

static void wake(void *user)
{
	uint64_t one = 1;

	(void)user;
	if(!consumer)
		drain();
	else if(write(woken, &one, sizeof(one)) < 0)
		LM_ERR("the consumer cannot be woken: %s\n", strerror(errno));
}

static void consume(void)
{
	uint64_t count;

	for(;;)
		if(read(woken, &count, sizeof(count)) > 0) {
			cfg_update();
			drain();
		}
}

static int subscribe(str *record, str *subscriber, long number)
{
	qsa_subscribe_params_t params;
	qsa_subscription_t id;

	memset(&params, 0, sizeof(params));
	params.size = sizeof(params);
	params.package.s = "presence";
	params.package.len = 8;
	params.record = *record;
	params.subscriber = *subscriber;
	params.queue = queue;
	params.subscriber_data = (void *)number;
	return qsa.subscribe(&params, &id);
}

/** first count width host: records sip:r<number>@host of subscribers sip:w<number>@host, the number in `width` digits. */
static void rpc_subscribe(rpc_t *rpc, void *ctx)
{
	char uris[2][URI_SIZE], *host;
	str record, subscriber;
	int first, count, width, i, err;

	if(rpc->scan(ctx, "ddd.s", &first, &count, &width, &host) < 4) {
		rpc->fault(ctx, 400, "first count width host");
		return;
	}
	for(i = first; i < first + count; i++) {
		record.s = uris[0];
		record.len = snprintf(uris[0], URI_SIZE, "sip:r%0*d@%s", width, i, host);
		subscriber.s = uris[1];
		subscriber.len = snprintf(uris[1], URI_SIZE, "sip:w%0*d@%s", width, i, host);
		if((err = subscribe(&record, &subscriber, i)) < 0) {
			rpc->fault(ctx, 500, "%d: %s", i, qsa.error_text(err));
			return;
		}
	}
	rpc->add(ctx, "d", count);
}

static void rpc_counters(rpc_t *rpc, void *ctx)
{
	qsa_counters_t counters = QSA_SIZED(counters);
	void *st;

	if(qsa.queue_counters(queue, &counters) < 0 || rpc->add(ctx, "{", &st) < 0)
		return;
	rpc->struct_add(st, "ddddddd", "selected", selected, "taken", (int)shared->taken, "last",
			(int)shared->last, "received", (int)counters.received, "merged",
			(int)counters.merged, "dropped", (int)counters.dropped, "queued",
			(int)counters.queued);
}

/** The ages seen since the last call: for each bucket in use its lower end in nanoseconds and its count. */
static void rpc_ages(rpc_t *rpc, void *ctx)
{
	char line[64];
	uint64_t count, low;
	int i;

	for(i = 0; i < BUCKETS_NO; i++) {
		count = __atomic_exchange_n(&shared->buckets[i], 0, __ATOMIC_RELAXED);
		if(count == 0)
			continue;
		low = i < 8 ? 0 : ((uint64_t)(4 + i % 4)) << (i / 4 - 2);
		snprintf(line, sizeof(line), "%llu %llu", (unsigned long long)low,
				(unsigned long long)count);
		rpc->add(ctx, "s", line);
	}
}

static const char *subscribe_doc[2] = {"Subscribes: first count width host.", NULL};
static const char *counters_doc[2] = {"The queue's counters.", NULL};
static const char *ages_doc[2] = {"Ages of messages, in nanoseconds.", NULL};

static rpc_export_t commands[] = {
		{"bench.subscribe", rpc_subscribe, subscribe_doc, 0},
		{"bench.counters", rpc_counters, counters_doc, 0},
		{"bench.ages", rpc_ages, ages_doc, RET_ARRAY}, {NULL, NULL, NULL, 0}};

/** bench_subscribe(record, subscriber): as a C module would, from the script. */
static int w_subscribe(sip_msg_t *msg, char *p1, char *p2)
{
	str record, subscriber;

	if(fixup_get_svalue(msg, (gparam_t *)p1, &record) < 0
			|| fixup_get_svalue(msg, (gparam_t *)p2, &subscriber) < 0)
		return -1;
	return subscribe(&record, &subscriber, 0) < 0 ? -1 : 1;
}

static cmd_export_t functions[] = {
		{"bench_subscribe", (cmd_function)w_subscribe, 2, fixup_spve_spve,
				fixup_free_spve_spve, ANY_ROUTE},
		{NULL, NULL, 0, NULL, NULL, 0}};

static param_export_t params[] = {{"consumer", PARAM_INT, &consumer},
		{"queue_limit", PARAM_INT, &queue_limit},
		{"select_url", PARAM_STRING, &select_url},
		{"select_columns", PARAM_STRING, &select_columns}, {NULL, 0, NULL}};

/** Reads one page behind the row `after`, which becomes its last; how many rows it has, or -1. */
static int select_page(db_func_t *db, db1_con_t *connection, long long *after)
{
	char text[SQL_SIZE];
	db1_res_t *result = NULL;
	str sql = {text, 0};
	int rows;

	sql.len = snprintf(text, sizeof(text), "SELECT %s FROM presence_b2b_subscriptions WHERE id > %lld ORDER BY presence_b2b_subscriptions.id LIMIT %d",
			select_columns, *after, PAGE);
	if(sql.len >= (int)sizeof(text) || db->raw_query(connection, &sql, &result) < 0 || result == NULL)
		return -1;
	rows = RES_ROW_N(result);
	/* Cast to text by the statement. */
	if(rows > 0)
		*after = atoll(VAL_STRING(ROW_VALUES(RES_ROWS(result) + rows - 1)));
	db->free_result(connection, result);
	return rows;
}

static int select_all(void)
{
	char module[32];
	str url = {select_url, (int)strlen(select_url)};
	db_func_t db;
	db1_con_t *connection;
	db_bind_api_f bind;
	long long after = -1;
	int rows;

	memset(&db, 0, sizeof(db));
	snprintf(module, sizeof(module), "db_%.*s", (int)strcspn(select_url, ":"), select_url);
	bind = (db_bind_api_f)find_mod_export(module, "db_bind_api", 0, 0);
	if(bind == NULL || bind(&db) < 0 || db.raw_query == NULL || (connection = db.init(&url)) == NULL)
		return -1;
	while((rows = select_page(&db, connection, &after)) > 0)
		selected += rows;
	db.close(connection);
	return rows;
}

static int mod_init(void)
{
	int err;

	if(*select_url != 0 && select_all() < 0) {
		LM_ERR("the rows cannot be read\n");
		return -1;
	}

	if(load_presence_b2b_api(&qsa) < 0)
		return -1;
	shared = shm_malloc(sizeof(*shared));
	if(shared == NULL) {
		LM_ERR("out of shared memory\n");
		return -1;
	}
	memset((void *)shared, 0, sizeof(*shared));
	if((err = qsa.queue_create(queue_limit, wake, NULL, &queue)) < 0) {
		LM_ERR("no queue: %s\n", qsa.error_text(err));
		return -1;
	}
	if(consumer) {
		woken = eventfd(0, 0);
		if(woken < 0) {
			LM_ERR("no eventfd: %s\n", strerror(errno));
			return -1;
		}
		register_procs(1);
		cfg_register_child(1);
	}
	return 0;
}

static int child_init(int rank)
{
	int pid;

	if(rank != PROC_MAIN || !consumer)
		return 0;
	pid = fork_process(PROC_RPC, "bench consumer", 1);
	if(pid < 0)
		return -1;
	if(pid == 0) {
		if(cfg_child_init() < 0)
			return -1;
		consume();
	}
	return 0;
}

struct module_exports exports = {
		"bench",		 /* module name */
		DEFAULT_DLFLAGS, /* dlopen flags */
		functions,		 /* exported functions */
		params,			 /* exported parameters */
		commands,		 /* RPC commands */
		NULL,			 /* pseudo-variables */
		NULL,			 /* response function */
		mod_init,		 /* module initialization */
		child_init,		 /* per-child initialization */
		NULL			 /* destroy function */
};

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The module: its notifier, and the process that takes the messages of the resources.
 */
#include "rls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/cfg/cfg_struct.h"
#include "core/mem/shm_mem.h"
#include "core/pt.h"
#include "core/rpc.h"
#include "core/rpc_lookup.h"
#include "core/sr_module.h"
#include "core/ver.h"

MODULE_VERSION

presence_b2b_api_t qsa;
shared_t *shared;
static qsa_queue_t queue;
static int bell[2]; /* the pipe that wakes the process */
static str package = str_init("presence");

/* ---------------------------------------------------------------------------------------------------------- texts */

/** Copies a text that must go into a document as it is; -1 when it cannot. */
static int copy_text(char *to, int size, const char *from, int len)
{
	int i;

	if(len >= size)
		return -1;
	for(i = 0; i < len; i++)
		if(from[i] < ' ' || strchr("<>&\"", from[i]) != NULL)
			return -1;
	memcpy(to, from, len);
	to[len] = '\0';
	return 0;
}

/** Reads the next word of a text; 0 when there is none. */
static int next_word(str *text, str *word)
{
	while(text->len > 0 && *text->s == ' ')
		text->s++, text->len--;
	word->s = text->s;
	for(word->len = 0; word->len < text->len && word->s[word->len] != ' '; word->len++)
		;
	text->s += word->len;
	text->len -= word->len;
	return word->len > 0;
}

/* ------------------------------------------------------------------------------------------------------------ lists */

/** Frees what a row owns and makes it free. Call under the lock. */
static void clear(rls_list_t *list)
{
	unsigned int i;

	for(i = 0; i < list->resources_no; i++)
		if(list->resources[i].body.s != NULL)
			shm_free(list->resources[i].body.s);
	if(list->resources != NULL)
		shm_free(list->resources);
	list->resources = NULL;
	list->resources_no = 0;
	list->watcher = 0;
	list->is_changed = 0;
	list->number++;
}

/** Makes the list in a free row; 0 when it is made. Call under the lock. */
static int fill(rls_list_t *list, const qsa_subscribed_t *subscribed)
{
	str rest = subscribed->first_param, uri;
	unsigned int no = 0;

	while(next_word(&rest, &uri))
		no++;
	if(no == 0 || no > RESOURCES_NO
			|| copy_text(list->uri, sizeof(list->uri), subscribed->record.s, subscribed->record.len) < 0)
		return -1;
	list->resources = shm_malloc(no * sizeof(*list->resources));
	if(list->resources == NULL)
		return -1;
	memset(list->resources, 0, no * sizeof(*list->resources));
	list->resources_no = no;
	rest = subscribed->first_param;
	for(no = 0; next_word(&rest, &uri); no++)
		if(copy_text(list->resources[no].uri, URI_SIZE, uri.s, uri.len) < 0)
			return -1;
	list->version = 0;
	list->watcher = subscribed->subscription;
	return 0;
}

/** What the message of a resource has with it: its list's row and number, and its own place. */
static void *pack(int row, unsigned int number, unsigned int i)
{
	return (void *)(((uintptr_t)number << 32) | ((uintptr_t)row << 16) | i);
}

/** Ends the subscriptions of a list that is gone. */
static void end_all(const qsa_subscription_t *subscriptions, unsigned int no)
{
	unsigned int i;

	for(i = 0; i < no; i++)
		if(subscriptions[i] != 0)
			qsa.unsubscribe(subscriptions[i]);
}

/** Subscribes to all resources of a list. No lock is held meanwhile: messages may come at once. */
static void subscribe_all(int row, unsigned int number, const qsa_subscribed_t *subscribed)
{
	qsa_subscribe_params_t wanted = QSA_SIZED(wanted);
	rls_list_t *list = &shared->lists[row];
	str rest = subscribed->first_param;
	qsa_subscription_t subscription;
	unsigned int i;
	int err, is_late;

	wanted.package = package;
	wanted.subscriber = subscribed->subscriber;
	wanted.queue = queue;
	for(i = 0; next_word(&rest, &wanted.record); i++) {
		wanted.subscriber_data = pack(row, number, i);
		err = qsa.subscribe(&wanted, &subscription);
		lock_get(&shared->lock);
		is_late = list->number != number;
		if(!is_late && err == 0)
			list->resources[i].subscription = subscription;
		if(!is_late && err < 0) {
			list->resources[i].status = QSA_REJECTED;
			strcpy(list->resources[i].reason, "rejected");
			list->is_changed = 1;
		}
		lock_release(&shared->lock);
		if(err < 0)
			LM_WARN("%.*s: %s\n", wanted.record.len, wanted.record.s, qsa.error_text(err));
		else if(is_late)
			qsa.unsubscribe(subscription);
	}
}

static void wake(void *user)
{
	char one = 1;

	(void)user;
	/* When the pipe is full, the process wakes anyway. */
	if(write(bell[1], &one, 1) < 0 && errno != EAGAIN)
		LM_ERR("the pipe: %s\n", strerror(errno));
}

static int on_subscribe(const qsa_subscribed_t *subscribed, uint64_t *value, void *user)
{
	unsigned int number = 0;
	int row, made = -1;

	(void)user;
	lock_get(&shared->lock);
	for(row = 0; row < LISTS_NO && shared->lists[row].watcher != 0; row++)
		;
	if(row < LISTS_NO) {
		made = fill(&shared->lists[row], subscribed);
		if(made < 0)
			clear(&shared->lists[row]);
		shared->lists[row].is_changed = made == 0;
		number = shared->lists[row].number;
	}
	lock_release(&shared->lock);
	if(made < 0)
		return -1;
	*value = (uint64_t)row;
	subscribe_all(row, number, subscribed);
	wake(NULL);
	return 0;
}

static void on_unsubscribe(qsa_subscription_t subscription, uint64_t value, void *user)
{
	rls_list_t *list = &shared->lists[value % LISTS_NO];
	qsa_subscription_t inner[RESOURCES_NO];
	unsigned int i, no = 0;

	(void)user;
	lock_get(&shared->lock);
	if(list->watcher == subscription) {
		no = list->resources_no;
		for(i = 0; i < no; i++)
			inner[i] = list->resources[i].subscription;
		clear(list);
	}
	lock_release(&shared->lock);
	end_all(inner, no);
}

/* ---------------------------------------------------------------------------------------------------------- messages */

/** The basic status of the first tuple. */
static int basic_of(qsa_message_t *message)
{
	const qsa_document_t *document;

	if(qsa.message_document(message, &document) < 0 || document->kind != QSA_KIND_PRESENCE
			|| document->as.presence->tuples_no == 0)
		return QSA_BASIC_UNKNOWN;
	return document->as.presence->tuples[0].basic;
}

/** Takes the state that a message tells. Call under the lock. */
static void take(resource_t *resource, const qsa_message_t *message, int basic)
{
	resource->status = message->status;
	resource->basic = basic;
	if(copy_text(resource->reason, REASON_SIZE, message->reason.s, message->reason.len) < 0)
		strcpy(resource->reason, "noresource");
	if(resource->body.s != NULL)
		shm_free(resource->body.s);
	resource->body = (str)STR_NULL;
	if(message->body.len == 0
			|| copy_text(resource->type, TYPE_SIZE, message->content_type.s, message->content_type.len) < 0)
		return;
	resource->body.s = shm_malloc(message->body.len);
	if(resource->body.s == NULL)
		return;
	memcpy(resource->body.s, message->body.s, message->body.len);
	resource->body.len = message->body.len;
}

/** Takes a message to its resource. Further dialogs of a forked SUBSCRIBE are left out: a list has the first one. */
static void take_message(qsa_message_t *message)
{
	uintptr_t packed = (uintptr_t)message->subscriber_data;
	rls_list_t *list = &shared->lists[(packed >> 16) % LISTS_NO];
	unsigned int i = packed & 0xffff;
	int basic = basic_of(message);

	lock_get(&shared->lock);
	if(message->fork == 0 && list->number == (unsigned int)(packed >> 32) && i < list->resources_no) {
		take(&list->resources[i], message, basic);
		if(message->last)
			list->resources[i].subscription = 0;
		list->is_changed = 1;
	}
	lock_release(&shared->lock);
	if(message->last)
		qsa.unsubscribe(message->subscription);
}

/** Tells the watcher of a list, if it has changed. */
static void tell(rls_list_t *list)
{
	text_t content_type, body;
	qsa_subscription_t watcher = 0;
	str told[2];
	int err;

	lock_get(&shared->lock);
	if(list->watcher != 0 && list->is_changed && assemble(list, &content_type, &body) == 0) {
		watcher = list->watcher;
		list->is_changed = 0;
	}
	lock_release(&shared->lock);
	if(watcher == 0)
		return;
	told[0] = (str){content_type.s, content_type.len};
	told[1] = (str){body.s, body.len};
	err = qsa.notify_subscriber(watcher, QSA_ACTIVE, NULL, &told[0], &told[1]);
	if(err < 0 && err != QSA_E_UNKNOWN)
		LM_ERR("%s\n", qsa.error_text(err));
	free(content_type.s);
	free(body.s);
}

/** Takes all that waits, and then tells each list that has changed: many changes at once are one document. */
static void work(void)
{
	qsa_message_t *message;
	char rings[256];
	int row;

	for(;;) {
		if(read(bell[0], rings, sizeof(rings)) <= 0 && errno != EINTR)
			return;
		while(qsa.queue_pop(queue, &message) == 0) {
			take_message(message);
			qsa.free_message(message);
		}
		for(row = 0; row < LISTS_NO; row++)
			tell(&shared->lists[row]);
	}
}

/** What the server knows of each resource: list resource, in their order. */
static void rpc_show(rpc_t *rpc, void *ctx)
{
	static char *basics[] = {"unknown", "open", "closed"};
	unsigned int row, i;
	void *st;

	lock_get(&shared->lock);
	for(row = 0; row < LISTS_NO; row++)
		for(i = 0; i < shared->lists[row].resources_no; i++)
			if(rpc->add(ctx, "{", &st) == 0)
				rpc->struct_add(st, "sss", "list", shared->lists[row].uri, "resource", shared->lists[row].resources[i].uri,
						"basic", basics[shared->lists[row].resources[i].basic]);
	lock_release(&shared->lock);
}

/* ------------------------------------------------------------------------------------------------------------- start */

static const char *show_doc[2] = {"Shows all resources with their basic status.", NULL};
static rpc_export_t commands[] = {{"c_rls.show", rpc_show, show_doc, RET_ARRAY}, {NULL, NULL, NULL, 0}};

static int mod_init(void)
{
	qsa_notifier_params_t params = QSA_SIZED(params);
	qsa_notifier_t notifier;
	int err;

	if(load_presence_b2b_api(&qsa) < 0)
		return -1;
	shared = shm_malloc(sizeof(*shared));
	if(shared == NULL || pipe(bell) < 0)
		return -1;
	memset(shared, 0, sizeof(*shared));
	fcntl(bell[1], F_SETFL, O_NONBLOCK);
	params.package = (str)str_init("rls");
	params.subscribe = on_subscribe;
	params.unsubscribe = on_unsubscribe;
	if(lock_init(&shared->lock) == NULL || (err = qsa.queue_create(10000, wake, NULL, &queue)) < 0
			|| (err = qsa.register_notifier(&params, &notifier)) < 0) {
		LM_ERR("no queue or no notifier\n");
		return -1;
	}
	if(rpc_register_array(commands) != 0)
		return -1;
	register_procs(1);
	cfg_register_child(1);
	return 0;
}

static int child_init(int rank)
{
	int pid;

	if(rank != PROC_MAIN)
		return 0;
	pid = fork_process(PROC_RPC, "RLS", 1);
	if(pid == 0) {
		cfg_child_init();
		work();
		exit(1);
	}
	return pid < 0 ? -1 : 0;
}

static param_export_t params[] = {{"package", PARAM_STR, &package}, {NULL, 0, NULL}};

struct module_exports exports = {"c_rls", DEFAULT_DLFLAGS, NULL, params, NULL, NULL, NULL, mod_init, child_init, NULL};

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The module itself: binds the API, and makes before the fork what all processes are to know.
 */
#include "qsa_test.h"

#include "core/mem/shm_mem.h"
#include "core/sr_module.h"
#include "core/ver.h"

MODULE_VERSION

presence_b2b_api_t qsa;
shared_t *shared;
qsa_queue_t queue;
qsa_content_type_t text_data;

static int queue_limit = 1000;

/** The test looks for itself; it only wants to know how often it would have been woken. */
static void wake(void *user)
{
	atomic_inc(&((shared_t *)user)->wakes);
}

/** Ends what notify_subscriber_data() was given: a copy in shared memory. */
static void destroy_text(void *data)
{
	shm_free(data);
	atomic_inc(&shared->destroyed);
}

static int mod_init(void)
{
	str name = str_init("test/text");
	qsa_notifier_t notifier;
	int err;

	if(load_presence_b2b_api(&qsa) < 0)
		return -1;
	shared = shm_malloc(sizeof(*shared));
	if(shared == NULL) {
		LM_ERR("out of shared memory\n");
		return -1;
	}
	memset(shared, 0, sizeof(*shared));
	if(lock_init(&shared->lock) == NULL) {
		LM_ERR("no lock\n");
		return -1;
	}
	if((err = qsa.queue_create(queue_limit, wake, shared, &queue)) < 0) {
		LM_ERR("no queue: %s\n", qsa.error_text(err));
		return -1;
	}
	if((err = qsa.register_content_type(0, &name, destroy_text, &text_data))
			< 0) {
		LM_ERR("no content type: %s\n", qsa.error_text(err));
		return -1;
	}
	if((err = register_status(STATUS_PACKAGE, &notifier)) < 0) {
		LM_ERR("no notifier: %s\n", qsa.error_text(err));
		return -1;
	}
	return 0;
}

static param_export_t params[] = {
		{"queue_limit", PARAM_INT, &queue_limit}, {NULL, 0, NULL}};

struct module_exports exports = {
		"qsa_test",		 /* module name */
		DEFAULT_DLFLAGS, /* dlopen flags */
		NULL,			 /* exported functions */
		params,			 /* exported parameters */
		commands,		 /* RPC commands */
		NULL,			 /* pseudo-variables */
		NULL,			 /* response function */
		mod_init,		 /* module initialization */
		NULL,			 /* per-child initialization */
		NULL			 /* destroy function */
};

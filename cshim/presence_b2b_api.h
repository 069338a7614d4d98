/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The Query Status API (QSA) of the module presence_b2b, for other C modules.
 *
 * A module that wants to know the state of a *record* subscribes as a *subscriber* to a *package* of a *domain*. The
 * package's *notifiers* accept the subscription and answer with messages, which wait in a bounded *queue* until the
 * module takes them. The SIP user agent is the notifier of its packages in the default domain. Other modules can be
 * notifiers too. The module that subscribes never sees SIP.
 *
 *     static presence_b2b_api_t qsa;
 *
 *     static int mod_init(void)                      // after presence_b2b in the order of loadmodule
 *     {
 *         if(load_presence_b2b_api(&qsa) < 0)
 *             return -1;
 *         return qsa.queue_create(1000, NULL, NULL, &queue);
 *     }
 *
 * Rules for all functions:
 *
 * - They return 0 (or what their comment says) on success, otherwise one of the negative QSA_E_*. If a function fails,
 *   nothing has changed. Functions log only a defect in presence_b2b itself, and the options that subscribe() refuses.
 * - They may be called in any process after presence_b2b's mod_init (before: QSA_E_NOT_READY). Do not call them under a
 *   lock that your own callbacks take. Make registrations and queues in mod_init, before the fork, so that all processes
 *   know their numbers.
 * - Numbers name things. They are never 0 and never used again. The number of a thing that has gone is harmless:
 *   QSA_E_UNKNOWN. You can keep numbers anywhere and pass them to other processes.
 * - Functions copy the texts that you give. A NULL str pointer means the empty text. The texts that you get do not end in
 *   a zero byte and must not be changed. The texts of a notifier's subscribe() are copies with a zero byte behind them,
 *   for Kamailio's functions that write to a text while they read it.
 * - Callbacks run without any lock of this module, in the process that causes them. So the functions must be valid in
 *   all processes (as all functions of a module are), and `user` must point into shared memory, or be set up
 *   identically in all processes before the fork.
 */
#ifndef PRESENCE_B2B_API_H
#define PRESENCE_B2B_API_H

#include <stdint.h>
#include <string.h>

/* Within Kamailio's tree (src/modules/x/), or with -I naming the tree's src folder. */
#if defined(__has_include)
#if __has_include("../../core/sr_module.h")
#define PRESENCE_B2B_IN_TREE
#endif
#endif
#ifdef PRESENCE_B2B_IN_TREE
#include "../../core/sr_module.h"
#include "../../core/str.h"
#include "../../core/dprint.h"
#else
#include "core/sr_module.h"
#include "core/str.h"
#include "core/dprint.h"
#endif
#include "presence_b2b_documents.h"

/**
 * Version of this interface. Functions, and members of structures that begin with their size, are added at the end under
 * the same version; anything else changes it.
 */
#define PRESENCE_B2B_API_VERSION 2

/**
 * The first member of a structure that the caller passes: `qsa_counters_t counters = QSA_SIZED(counters);`.
 * All other members are 0. A structure with another size than this version ever had is refused with QSA_E_VERSION.
 */
#define QSA_SIZED(variable) {.size = sizeof(variable)}

/** @name Numbers that name things; 0 is none. @{ */
typedef uint64_t qsa_domain_t;
typedef uint64_t qsa_notifier_t;
typedef uint64_t qsa_subscription_t;
typedef uint64_t qsa_queue_t;
typedef uint64_t qsa_content_type_t;
/** @} */

/** What functions return. */
enum qsa_error
{
	QSA_OK = 0,
	QSA_E_ARGUMENT = -1,  /**< an argument is missing, malformed or out of range */
	QSA_E_MEMORY = -2,	  /**< out of shared memory */
	QSA_E_REFUSED = -3,	  /**< every notifier of the package refused the subscription */
	QSA_E_UNKNOWN = -4,	  /**< the number names nothing, or nothing any more */
	QSA_E_LIMIT = -5,	  /**< all places are taken */
	QSA_E_ROOM = -6,	  /**< the caller's buffer is too small */
	QSA_E_EMPTY = -7,	  /**< nothing waits in the queue */
	QSA_E_DOCUMENT = -8,  /**< the message has no body of that kind, or a malformed one */
	QSA_E_NOT_READY = -9, /**< presence_b2b is not initialised yet */
	QSA_E_VERSION = -10,  /**< the module has another version of this interface, or a `size` is not set */
	QSA_E_INTERNAL = -11  /**< a defect in presence_b2b; it has been logged */
};

/** The status of a subscription. */
enum qsa_status
{
	QSA_ACTIVE = 1,		/**< the notifier gives the state */
	QSA_PENDING = 2,	/**< the notifier has not decided yet */
	QSA_TERMINATED = 3, /**< there is no subscription now; next_attempt says whether there will be one */
	QSA_REJECTED = 4	/**< refused for good */
};

/** A message from a queue. The caller owns it until free_message() and may only read it. Members may be added at the end. */
typedef struct qsa_message
{
	unsigned int size; /**< as the module knows it: members beyond are not there */
	qsa_subscription_t subscription;
	void *subscriber_data; /**< the subscriber's own value */
	int status;			   /**< enum qsa_status */
	int code;			   /**< of the SIP reply that caused it; 0 for a message of the notifier */
	int next_attempt;	   /**< seconds until the next attempt after a failure or termination; -1: there is none */
	int last;			   /**< 1: no further message will come */
	str reason;			   /**< reason phrase or reason parameter, 31 bytes at most; may be empty */
	str content_type;	   /**< empty when there is neither body nor data */
	str body;			   /**< the body, unchanged */
	void *data;			   /**< the pointer of notify_subscriber_data(); NULL if the message has a body instead */
	unsigned int fork;	   /**< number of the dialog: 0 the first one; others if the SUBSCRIBE was forked. If it is not 0,
								QSA_TERMINATED and QSA_REJECTED end that fork alone; see modparam forking */
	str list;			   /**< URI of the list that the message tells a resource of; empty for all other messages */
	str resource;		   /**< URI of the resource; `status`, `reason` and `body` are those of its instance. QSA_TERMINATED is the end
								of the resource or instance, not of the subscription: that has no list, and `last` */
	str resource_name;	   /**< its name in the list; may be empty */
	str instance;		   /**< the id of the instance; may be empty */
} qsa_message_t;

/** A subscription as it is offered to a notifier. Valid during the callback only. */
typedef struct qsa_subscribed
{
	unsigned int size; /**< as the module knows it: members beyond are not there */
	qsa_subscription_t subscription;
	qsa_notifier_t notifier; /**< the notifier it is offered to */
	qsa_queue_t queue;
	void *subscriber_data;
	str record;
	str subscriber;
	str package;
	str first_param;
} qsa_subscribed_t;

/**
 * Accepts a subscription. Called for each new subscription of the package, in the process that subscribes, and for each
 * existing one, in the process that registers the notifier. It may notify at once.
 *
 * @param value the notifier's own value for the subscription (0 at first), passed back at its end
 * @return 0 or more: accepted; negative: refused
 */
typedef int (*qsa_subscribe_f)(
		const qsa_subscribed_t *subscribed, uint64_t *value, void *user);

/**
 * Releases a subscription: called once for each accepted one, in the process that unsubscribes. The get_ functions work
 * until this returns; for longer use accept_subscription().
 */
typedef void (*qsa_unsubscribe_f)(
		qsa_subscription_t subscription, uint64_t value, void *user);

/**
 * Wakes the consumer when an empty queue gets a message. Called in the process that queued the message, often a SIP
 * worker with more work: write a byte into a pipe, for example, and return. A consumer that takes messages until
 * QSA_E_EMPTY, and only then waits, misses none.
 */
typedef void (*qsa_wake_f)(void *user);

/** Destroys the pointer of a message. Called in the process that releases the message. */
typedef void (*qsa_destroy_f)(void *data);

/** For register_notifier(). Set all members that you do not need to 0: see QSA_SIZED(). */
typedef struct qsa_notifier_params
{
	unsigned int size;	 /**< its size, as the caller knows it */
	qsa_domain_t domain; /**< 0: the default domain */
	str package;
	qsa_subscribe_f subscribe;
	qsa_unsubscribe_f unsubscribe; /**< may be NULL */
	void *user;					   /**< passed to both */
} qsa_notifier_params_t;

/**
 * For subscribe(). Set all members that you do not need to 0: see QSA_SIZED().
 *
 * The package decides what first_param means. For the SIP user agent it has the options of the subscription, such as
 * "id=desk;expires=600" (see docs/options.md); empty for none. The user agent refuses unknown, repeated and malformed
 * options (QSA_E_REFUSED, if no other notifier accepts the subscription) and logs which and why.
 *
 * record and subscriber may have 1024 bytes each, package 512 and first_param 2048; longer ones are refused
 * (QSA_E_ARGUMENT).
 */
typedef struct qsa_subscribe_params
{
	unsigned int size;	 /**< its size, as the caller knows it */
	qsa_domain_t domain; /**< 0: the default domain */
	str package;		 /**< event package, such as "presence" */
	str record;			 /**< the record whose state is wanted: for SIP, a URI */
	str subscriber;		 /**< the subscriber that wants to know it: for SIP, a URI */
	str first_param;	 /**< subscription parameter of the package; see above */
	qsa_queue_t queue;	 /**< the queue for the messages */
	void *subscriber_data;
} qsa_subscribe_params_t;

/** received = delivered + merged + dropped + queued, at any time. */
typedef struct qsa_counters
{
	unsigned int size;	/**< set by the caller: see QSA_SIZED() */
	uint64_t received;	/**< messages given to the queue */
	uint64_t delivered; /**< taken by the consumer */
	uint64_t merged;	/**< replaced by a newer one of the same subscription, because the queue was full */
	uint64_t dropped;	/**< lost by overflow, by the end of their subscription or of the queue */
	uint64_t queued;	/**< waiting */
} qsa_counters_t;

/** The functions. load_presence_b2b_api() sets all of them. */
typedef struct presence_b2b_api
{
	unsigned int version; /**< PRESENCE_B2B_API_VERSION */
	unsigned int size;	  /**< size of this structure as the caller knows it */

	/** What an error means, in words. Always a terminated, static text. */
	const char *(*error_text)(int error);

	/** @name Domains @{ */

	/** The domain that always exists: do not release `*domain`. */
	int (*default_domain)(qsa_domain_t *domain);
	/** Finds or makes the domain with this name, and counts the caller as a user. "default" and "" name the default domain.
	 *  Names of domains, packages and content types with control characters are refused (QSA_E_ARGUMENT). */
	int (*register_domain)(const str *name, qsa_domain_t *domain);
	/** Ends this use. The domain goes with its last user, its last notifier and its last subscription. */
	int (*release_domain)(qsa_domain_t domain);
	/** 1 when the package has a notifier, 0 when not. Packages need no registration: the first use makes one. */
	int (*has_notifier)(qsa_domain_t domain, const str *package);

	/** @} @name For notifiers @{ */

	/**
	 * Registers a notifier (at most 4 for a package), and offers it the package's existing subscriptions before it returns.
	 * It writes the number to `*notifier` afterwards; the callback finds the number in qsa_subscribed_t.
	 */
	int (*register_notifier)(
			const qsa_notifier_params_t *params, qsa_notifier_t *notifier);
	/**
	 * Ends a registration. It ends no subscription and calls nothing. A callback that runs in another process at this
	 * moment runs to its end, and `user` must stay valid until then.
	 */
	int (*unregister_notifier)(qsa_notifier_t notifier);
	/**
	 * Keeps a subscription, so that the get_ functions work after its end: for notifiers that answer later. Each call
	 * needs its release_subscription(). To notify later, a notifier needs only the number, not this function.
	 */
	int (*accept_subscription)(qsa_subscription_t subscription);
	/** Releases a subscription that was kept with accept_subscription(). */
	int (*release_subscription)(qsa_subscription_t subscription);
	/**
	 * Sends the subscriber a message: the status, a reason and the state as text. Everything is copied.
	 * QSA_E_UNKNOWN: the subscription has ended, or its queue has gone.
	 */
	int (*notify_subscriber)(qsa_subscription_t subscription, int status,
			const str *reason, const str *content_type, const str *body);
	/**
	 * Registers a type of messages that carry a pointer instead of text. The first registration of a name in a domain
	 * wins; later ones get the same number. @param destroy may be NULL: there is nothing to destroy.
	 */
	int (*register_content_type)(qsa_domain_t domain, const str *name,
			qsa_destroy_f destroy, qsa_content_type_t *content_type);
	/**
	 * Sends the subscriber a message with a pointer, qsa_message_t.data. It must be valid in the subscriber's process, so
	 * usually in shared memory. The API owns it from this call on, *also if the call fails*. The function of the content
	 * type destroys it exactly once, when the message is freed, merged, dropped or not accepted. Only if that function
	 * cannot be known the caller still owns it: with QSA_E_ARGUMENT (content type never registered, or no such status)
	 * and QSA_E_NOT_READY.
	 */
	int (*notify_subscriber_data)(qsa_subscription_t subscription, int status,
			const str *reason, qsa_content_type_t content_type, void *data);

	/** @} @name For subscribers @{ */

	/**
	 * Subscribes. The first message may be in the queue before this returns. A package without a notifier is no error,
	 * because one may come later: see has_notifier(). QSA_E_REFUSED: there are notifiers, but none accepts the
	 * subscription; nothing is left of it.
	 */
	int (*subscribe)(const qsa_subscribe_params_t *params,
			qsa_subscription_t *subscription);
	/** Ends a subscription. Its messages are no longer delivered, not even those that were queued before. */
	int (*unsubscribe)(qsa_subscription_t subscription);
	/** Reads the subscriber's own value. */
	int (*get_subscriber_data)(qsa_subscription_t subscription, void **data);
	/**
	 * Sets it for the messages that are taken from now on. The function does not touch the old value. From then on the queue
	 * looks up the subscription for each message.
	 */
	int (*set_subscriber_data)(qsa_subscription_t subscription, void *data);

	/** @} @name For both
	 * These copy into the caller's buffer: `buf->len` is its size before and the text's length afterwards, also with
	 * QSA_E_ROOM, when nothing was copied. @{ */
	int (*get_record)(qsa_subscription_t subscription, str *buf);
	int (*get_subscriber)(qsa_subscription_t subscription, str *buf);
	int (*get_package)(qsa_subscription_t subscription, str *buf);
	int (*get_first_param)(qsa_subscription_t subscription, str *buf);

	/** @} @name Queues @{ */

	/**
	 * Makes a queue for at most `limit` messages. If it is full, a message replaces the newest waiting one of the same
	 * subscription and fork. If there is none, the oldest message of a subscription that takes the most bytes is dropped.
	 * There can be 256 queues. @param wake may be NULL.
	 */
	int (*queue_create)(unsigned int limit, qsa_wake_f wake, void *user,
			qsa_queue_t *queue);
	/** Ends a queue with all its messages. Its subscriptions remain, but their messages are lost from now on. */
	int (*queue_destroy)(qsa_queue_t queue);
	/**
	 * Takes the oldest message; QSA_E_EMPTY if nothing waits. The message is in the memory of this process. The message of a list
	 * (option list) comes as one message for each resource, all to the process that takes the first: take until QSA_E_EMPTY.
	 */
	int (*queue_pop)(qsa_queue_t queue, qsa_message_t **message);
	/** 1 if nothing waits, 0 if something does (perhaps only of an ended subscription, and then it is not delivered). */
	int (*queue_is_empty)(qsa_queue_t queue);
	/** The counters of one queue; with `queue` 0, of all queues since the start. */
	int (*queue_counters)(qsa_queue_t queue, qsa_counters_t *counters);

	/** @} @name Messages: in the process that took them only @{ */

	/**
	 * The body as a structured presence document. It is read at the first call and valid until free_message().
	 * QSA_E_DOCUMENT: the body is not application/pidf+xml, or malformed.
	 */
	int (*message_presentity)(
			qsa_message_t *message, const qsa_presentity_t **presentity);
	/** Takes the pointer out of a message: from now on the caller owns and destroys it. NULL if there is none. */
	void *(*message_take_data)(qsa_message_t *message);
	/** Frees a message with everything obtained from it. NULL is allowed. */
	void (*free_message)(qsa_message_t *message);
	/**
	 * The body as a document of its kind: see presence_b2b_documents.h. It is read at the first call and valid until
	 * free_message(). QSA_E_DOCUMENT: there is no body, its type has no reader, or it is malformed.
	 */
	int (*message_document)(
			qsa_message_t *message, const qsa_document_t **document);

	/** @} */
} presence_b2b_api_t;

/** The function behind bind_presence_b2b. */
typedef int (*bind_presence_b2b_f)(presence_b2b_api_t *api);

/**
 * Binds the API. Call it in mod_init, when presence_b2b is loaded.
 * @return 0, or -1 on failure, which is logged
 */
static inline int load_presence_b2b_api(presence_b2b_api_t *api)
{
	bind_presence_b2b_f bind;

	bind = (bind_presence_b2b_f)(void (*)(void))find_export(
			"bind_presence_b2b", NO_SCRIPT, 0);
	if(bind == NULL) {
		LM_ERR("the module presence_b2b is not loaded: load it before this "
			   "one\n");
		return -1;
	}
	memset(api, 0, sizeof(*api));
	api->version = PRESENCE_B2B_API_VERSION;
	api->size = sizeof(*api);
	if(bind(api) < 0) {
		LM_ERR("this module needs version %d of the API of presence_b2b (%u "
			   "bytes), but the loaded one has version %u (%u bytes): build this "
			   "module again with the header of the loaded one\n",
				PRESENCE_B2B_API_VERSION, (unsigned int)sizeof(*api),
				api->version, api->size);
		return -1;
	}
	return 0;
}

#endif

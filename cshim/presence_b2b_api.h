/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The Query Status API (QSA) of the module presence_b2b, for other C modules.
 *
 * Who wants to know the state of a *record* as a *subscriber* makes a subscription to a *package* of a *domain*. The
 * package's *notifiers* take it up and answer with messages, which wait in a bounded *queue* until the subscriber
 * takes them. The SIP user agent is the notifier of the packages it knows in the default domain; with the notifiers
 * of other modules beside it, whoever subscribes never sees SIP.
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
 * - They return 0 (or what their comment says) when they did what they are for, else one of the negative QSA_E_*. When
 *   they fail, nothing has changed. They write nothing to the log, but for a defect in this module itself and for options
 *   that subscribe() is refused for.
 * - They may be called in any process once presence_b2b's mod_init has run (before: QSA_E_NOT_READY), under no lock of
 *   the caller's that his own callbacks take. Registrations and queues belong into mod_init, before the fork, so that
 *   all processes know their numbers.
 * - Things are named by numbers that are never 0 and never used again. A number whose thing has gone is harmless:
 *   QSA_E_UNKNOWN. Numbers can be kept anywhere and handed to other processes.
 * - Texts given to a function are copied. A NULL str pointer means the empty text. Texts obtained are not terminated by
 *   a zero byte and must not be changed; but those that a notifier's subscribe() is given are copies with a zero byte
 *   behind them, for Kamailio's functions that write to a text while they look at it.
 * - Callbacks run without any lock of this module's. They are called in whichever process does what leads to them, so
 *   the functions must be valid in all of them (as all functions of a module are) and what `user` points to must be in
 *   shared memory or be set up alike in all processes before the fork.
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

/**
 * Version of this interface. Functions, and members of structures that begin with their size, are added at the end under
 * the same version; anything else changes it.
 */
#define PRESENCE_B2B_API_VERSION 2

/**
 * What a structure that the caller fills, or has filled, begins with: `qsa_counters_t counters = QSA_SIZED(counters);`.
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
	QSA_E_UNKNOWN = -4,	  /**< the number names nothing (any more) */
	QSA_E_LIMIT = -5,	  /**< all places are taken */
	QSA_E_ROOM = -6,	  /**< the caller's buffer is too small */
	QSA_E_EMPTY = -7,	  /**< nothing waits in the queue */
	QSA_E_DOCUMENT = -8,  /**< the message has no body of that kind, or a malformed one */
	QSA_E_NOT_READY = -9, /**< presence_b2b is not initialised (yet) */
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

/** Basic status of a tuple (RFC 3863, 4.1.4). */
enum qsa_basic
{
	QSA_BASIC_UNKNOWN = 0, /**< not given, or neither of the others */
	QSA_BASIC_OPEN = 1,
	QSA_BASIC_CLOSED = 2
};

/** A note with its language (empty when none is given). */
typedef struct qsa_note
{
	str lang;
	str text;
} qsa_note_t;

/** An element that PIDF does not define, as text that stands alone (with the namespace declarations it needs). */
typedef struct qsa_extension
{
	str ns;	  /**< its namespace; empty when it has none */
	str name; /**< its local name */
	str xml;  /**< all of it */
} qsa_extension_t;

/** A contact address. */
typedef struct qsa_contact
{
	str uri;
	int priority; /**< in thousandths, 0 to 1000; -1 when none is given */
} qsa_contact_t;

/** A tuple: one way to reach the presentity. */
typedef struct qsa_tuple
{
	str id;
	enum qsa_basic basic;
	int has_contact; /**< 0: `contact` is empty */
	qsa_contact_t contact;
	str timestamp; /**< as sent (RFC 3339); empty when none is given */
	unsigned int notes_no;
	const qsa_note_t *notes;
	unsigned int status_extensions_no; /**< elements within `status` */
	const qsa_extension_t *status_extensions;
	unsigned int extensions_no; /**< elements beside `status` */
	const qsa_extension_t *extensions;
} qsa_tuple_t;

/** A presence document (RFC 3863). */
typedef struct qsa_presentity
{
	unsigned int size; /**< as the module knows it: members beyond are not there */
	str entity;
	unsigned int tuples_no;
	const qsa_tuple_t *tuples;
	unsigned int notes_no; /**< notes on the presentity as a whole */
	const qsa_note_t *notes;
	unsigned int extensions_no; /**< persons, devices and other elements beside the tuples */
	const qsa_extension_t *extensions;
} qsa_presentity_t;

/** A message taken from a queue: the caller's until free_message(). Only read it. Members may be added at the end. */
typedef struct qsa_message
{
	unsigned int size; /**< as the module knows it: members beyond are not there */
	qsa_subscription_t subscription;
	void *subscriber_data; /**< the subscriber's own value */
	int status;			   /**< enum qsa_status */
	int code;			   /**< of the SIP reply that caused it; 0 for news from the notifier */
	int next_attempt;	   /**< seconds until the next attempt after a failure or termination; -1: there is none */
	int last;			   /**< 1: no further message will come */
	str reason;			   /**< reason phrase or reason parameter, 31 bytes at most; may be empty */
	str content_type;	   /**< empty when there is neither body nor data */
	str body;			   /**< the body as it came */
	void *data;			   /**< what notify_subscriber_data() was given; NULL when the message has a body instead */
	unsigned int fork;	   /**< the dialog it is about: 0 the first one; others when the SUBSCRIBE was forked. Of a fork that
								is not 0, QSA_TERMINATED and QSA_REJECTED are the end of that fork alone; see modparam forking */
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
 * Takes up a subscription. Called for each new subscription of the package in the process that subscribes, and for
 * those that exist already in the process that registers the notifier. May notify at once.
 *
 * @param value the notifier's own value for the subscription (0 at first), handed back at its end
 * @return 0 or more: taken up; negative: refused
 */
typedef int (*qsa_subscribe_f)(
		const qsa_subscribed_t *subscribed, uint64_t *value, void *user);

/**
 * Lets go of a subscription: called once for each one taken up, in the process that unsubscribes. The subscription can
 * still be looked at with the get_ functions until this returns (longer: accept_subscription()).
 */
typedef void (*qsa_unsubscribe_f)(
		qsa_subscription_t subscription, uint64_t value, void *user);

/**
 * Wakes the consumer of a queue that was empty and is no longer. Called in the process that queued the message, often a
 * SIP worker that has more to do: write a byte into a pipe or the like and return. Taking messages until QSA_E_EMPTY
 * and only then waiting misses none.
 */
typedef void (*qsa_wake_f)(void *user);

/** Destroys what a message carries. Called in whichever process lets go of the message. */
typedef void (*qsa_destroy_f)(void *data);

/** For register_notifier(). Set all members not needed to 0: see QSA_SIZED(). */
typedef struct qsa_notifier_params
{
	unsigned int size;	 /**< its size, as the caller knows it */
	qsa_domain_t domain; /**< 0: the default domain */
	str package;
	qsa_subscribe_f subscribe;
	qsa_unsubscribe_f unsubscribe; /**< may be NULL */
	void *user;					   /**< handed to both */
} qsa_notifier_params_t;

/**
 * For subscribe(). Set all members not needed to 0: see QSA_SIZED().
 *
 * What first_param means is the package's. Where the SIP user agent is the notifier, it holds the options of the
 * subscription, such as "id=desk;expires=600" (see docs/options.md); empty for none. It refuses unknown, repeated and
 * malformed ones (QSA_E_REFUSED, if nobody else takes the subscription) and logs which and why.
 *
 * record and subscriber may have 1024 bytes each, package 512 and first_param 2048; longer ones are refused
 * (QSA_E_ARGUMENT).
 */
typedef struct qsa_subscribe_params
{
	unsigned int size;	 /**< its size, as the caller knows it */
	qsa_domain_t domain; /**< 0: the default domain */
	str package;		 /**< event package, such as "presence" */
	str record;			 /**< whose state: for SIP, a URI */
	str subscriber;		 /**< who wants to know: for SIP, a URI */
	str first_param;	 /**< subscription parameter of the package; see below */
	qsa_queue_t queue;	 /**< where the messages are to go */
	void *subscriber_data;
} qsa_subscribe_params_t;

/** received = delivered + merged + dropped + queued, at any time. */
typedef struct qsa_counters
{
	unsigned int size;	/**< set by the caller: see QSA_SIZED() */
	uint64_t received;	/**< messages given to the queue */
	uint64_t delivered; /**< taken by the consumer */
	uint64_t merged;	/**< overtaken by a newer one of the same subscription when the queue was full */
	uint64_t dropped;	/**< lost to overflow, to the end of their subscription or of the queue */
	uint64_t queued;	/**< waiting */
} qsa_counters_t;

/** The functions. Filled by load_presence_b2b_api(); all are set then. */
typedef struct presence_b2b_api
{
	unsigned int version; /**< PRESENCE_B2B_API_VERSION */
	unsigned int size;	  /**< size of this structure as the caller knows it */

	/** What an error means, in words. Always a terminated, static text. */
	const char *(*error_text)(int error);

	/** @name Domains @{ */

	/** The domain that is always there: `*domain` need not be released. */
	int (*default_domain)(qsa_domain_t *domain);
	/** Finds or makes the domain with this name, and counts the caller in. "default" and "" name the default domain.
	 *  Names of domains, packages and content types with control characters are refused (QSA_E_ARGUMENT). */
	int (*register_domain)(const str *name, qsa_domain_t *domain);
	/** Counts the caller out; the domain goes with the last one, its last notifier and its last subscription. */
	int (*release_domain)(qsa_domain_t domain);
	/** 1 when the package has a notifier, 0 when not. Packages need no registration: using one makes it. */
	int (*has_notifier)(qsa_domain_t domain, const str *package);

	/** @} @name For notifiers @{ */

	/**
	 * Registers a notifier (at most 4 for a package), and offers it the package's existing subscriptions before it returns.
	 * The number is written to `*notifier` afterwards; the callback finds it in qsa_subscribed_t.
	 */
	int (*register_notifier)(
			const qsa_notifier_params_t *params, qsa_notifier_t *notifier);
	/**
	 * Ends a registration. Ends no subscription and calls nothing. A callback that runs in another process at this moment
	 * runs to its end: what `user` points to must outlive it.
	 */
	int (*unregister_notifier)(qsa_notifier_t notifier);
	/**
	 * Holds on to a subscription, so that the get_ functions work beyond its end: for notifiers that answer later. Each
	 * needs its release_subscription(). Without it too a notifier may keep the number and notify whenever it likes.
	 */
	int (*accept_subscription)(qsa_subscription_t subscription);
	/** Lets go of a subscription held with accept_subscription(). */
	int (*release_subscription)(qsa_subscription_t subscription);
	/**
	 * Tells the subscriber the status, a reason and the state as text. All is copied.
	 * QSA_E_UNKNOWN: he has unsubscribed or his queue has gone.
	 */
	int (*notify_subscriber)(qsa_subscription_t subscription, int status,
			const str *reason, const str *content_type, const str *body);
	/**
	 * Registers a type of messages that carry a pointer instead of text. The first registration of a name in a domain
	 * wins, later ones are given the same number. @param destroy may be NULL: there is nothing to destroy.
	 */
	int (*register_content_type)(qsa_domain_t domain, const str *name,
			qsa_destroy_f destroy, qsa_content_type_t *content_type);
	/**
	 * Tells the subscriber with a pointer, which he finds in qsa_message_t.data: it must be valid in his process, so for
	 * the most part in shared memory. It belongs to the API from this call on, *also when it fails*, and is destroyed
	 * exactly once by the content type's function when the message is freed, merged, dropped or not accepted at all. Only
	 * where that function cannot be known it remains the caller's: with QSA_E_ARGUMENT (content type never registered, or
	 * no such status) and QSA_E_NOT_READY.
	 */
	int (*notify_subscriber_data)(qsa_subscription_t subscription, int status,
			const str *reason, qsa_content_type_t content_type, void *data);

	/** @} @name For subscribers @{ */

	/**
	 * Subscribes. The first message may be in the queue before this returns. A package without a notifier is no error, as
	 * one may come later: see has_notifier(). QSA_E_REFUSED: there are notifiers and none takes it; nothing is left of it.
	 */
	int (*subscribe)(const qsa_subscribe_params_t *params,
			qsa_subscription_t *subscription);
	/** Ends a subscription. No message of it is delivered any more, not even one that was queued before. */
	int (*unsubscribe)(qsa_subscription_t subscription);
	/** Reads the subscriber's own value. */
	int (*get_subscriber_data)(qsa_subscription_t subscription, void **data);
	/**
	 * Sets it, for the messages taken from now on. The old value is not touched. It costs the queue, as long as it lives, a
	 * look at the subscription for each message taken.
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
	 * Makes a queue for at most `limit` messages. When it is full, a message takes the place of the same subscription's
	 * newest waiting one, or else the oldest of all is dropped. There can be 256 queues. @param wake may be NULL.
	 */
	int (*queue_create)(unsigned int limit, qsa_wake_f wake, void *user,
			qsa_queue_t *queue);
	/** Ends a queue with all that waits in it. Its subscriptions remain, and their messages are lost from now on. */
	int (*queue_destroy)(qsa_queue_t queue);
	/** Takes the oldest message; QSA_E_EMPTY when nothing waits. The message is in this process's memory. */
	int (*queue_pop)(qsa_queue_t queue, qsa_message_t **message);
	/** 1 when nothing waits, 0 when something does (it may be of an ended subscription, and not be delivered). */
	int (*queue_is_empty)(qsa_queue_t queue);
	/** The counters of one queue, or of all there are and ever were when `queue` is 0. */
	int (*queue_counters)(qsa_queue_t queue, qsa_counters_t *counters);

	/** @} @name Messages: in the process that took them only @{ */

	/**
	 * The body as a structured presence document, read when first asked for and valid until free_message().
	 * QSA_E_DOCUMENT: the body is not application/pidf+xml, or malformed.
	 */
	int (*message_presentity)(
			qsa_message_t *message, const qsa_presentity_t **presentity);
	/** Takes the pointer out of a message: the caller destroys it from now on. NULL when there is none. */
	void *(*message_take_data)(qsa_message_t *message);
	/** Ends a message with all that was obtained from it. NULL is allowed. */
	void (*free_message)(qsa_message_t *message);

	/** @} */
} presence_b2b_api_t;

/** The function behind bind_presence_b2b. */
typedef int (*bind_presence_b2b_f)(presence_b2b_api_t *api);

/**
 * Binds the API: in mod_init, or whenever presence_b2b is loaded.
 * @return 0, or -1 when it cannot be had (which has been logged)
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

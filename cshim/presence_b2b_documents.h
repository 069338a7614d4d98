/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The documents of messages, read into structures: see message_document() and message_presentity() in
 * presence_b2b_api.h, which includes this file.
 *
 * - All belongs to the message, in the process that took it, and must not be changed.
 * - What a document does not say is the empty text, the number -1 or no element. A text is as the document has it, without
 *   the white space around it. A word that the RFC does not know is handed on as it is.
 * - Pairs of `x_no` and `x` are arrays in document order; `x` is NULL when there is nothing.
 * - Structures that begin with `size` get new members at their end. All others change with the version of the API only.
 */
#ifndef PRESENCE_B2B_DOCUMENTS_H
#define PRESENCE_B2B_DOCUMENTS_H

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

/** An element that PIDF does not define, as complete text (with the namespace declarations it needs). */
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

/** Elements of rich presence (RFC 4480, 3.2 to 3.12). */
enum qsa_rpid
{
	QSA_RPID_ACTIVITIES = 1,
	QSA_RPID_MOOD = 2,
	QSA_RPID_PLACE_TYPE = 3,
	QSA_RPID_PRIVACY = 4,
	QSA_RPID_RELATIONSHIP = 5,
	QSA_RPID_SERVICE_CLASS = 6,
	QSA_RPID_SPHERE = 7,
	QSA_RPID_CLASS = 8,
	QSA_RPID_USER_INPUT = 9,
	QSA_RPID_STATUS_ICON = 10,
	QSA_RPID_TIME_OFFSET = 11
};

/** An element of rich presence. */
typedef struct qsa_rpid_element
{
	unsigned int values_no;
	const str *values; /**< names, such as "away", or texts */
	str from;		   /**< since when, as sent; of user input: the last input */
	str until;
	int kind; /**< enum qsa_rpid */
} qsa_rpid_element_t;

/** What RFC 4479 and RFC 4480 add to a tuple. */
typedef struct qsa_service
{
	str device_id; /**< the device that it runs on */
	unsigned int rpid_no;
	const qsa_rpid_element_t *rpid;
} qsa_service_t;

/** A person or a device (RFC 4479). */
typedef struct qsa_entity
{
	str id;
	str device_id; /**< by which tuples name a device; empty for a person */
	str timestamp; /**< as sent */
	unsigned int rpid_no;
	const qsa_rpid_element_t *rpid;
	unsigned int notes_no;
	const qsa_note_t *notes;
} qsa_entity_t;

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
	unsigned int services_no;	   /**< the same as tuples_no */
	const qsa_service_t *services; /**< of each tuple, in their order */
	unsigned int persons_no;
	const qsa_entity_t *persons;
	unsigned int devices_no;
	const qsa_entity_t *devices;
} qsa_presentity_t;

/** A name with its value. */
typedef struct qsa_pair
{
	str name;
	str value;
} qsa_pair_t;

/** The place of a document among those of its subscription. */
typedef struct qsa_place
{
	int64_t version; /**< goes up by one with each document; -1: it has none */
	int is_full;	 /**< 0: it says only what has changed */
} qsa_place_t;

/** A URI with a display name. */
typedef struct qsa_identity
{
	str uri;
	str display;
} qsa_identity_t;

/** One side of a dialog (RFC 4235, 4.1.6). */
typedef struct qsa_dialog_side
{
	qsa_identity_t identity;
	str target; /**< the URI of the Contact */
	unsigned int params_no;
	const qsa_pair_t *params; /**< the parameters of the Contact */
	str session_type;		  /**< the media type of the session description */
	str session;
	int64_t cseq;
} qsa_dialog_side_t;

/** A dialog (RFC 4235, 4.1.2). */
typedef struct qsa_dialog
{
	str id;
	str call_id;
	str local_tag;
	str remote_tag;
	str direction; /**< "initiator" or "recipient" */
	str state;	   /**< "trying", "proceeding", "early", "confirmed" or "terminated" */
	str event;	   /**< what led to the state, such as "rejected" */
	int code;	   /**< the SIP code that led to it */
	int has_replaces;
	int64_t duration; /**< in seconds */
	str replaces_call_id;
	str replaces_local_tag;
	str replaces_remote_tag;
	qsa_identity_t referred_by;
	unsigned int route_set_no;
	const str *route_set;
	qsa_dialog_side_t local;
	qsa_dialog_side_t remote;
} qsa_dialog_t;

/** The dialogs of a user (RFC 4235). */
typedef struct qsa_dialogs
{
	unsigned int size; /**< as the module knows it: members beyond are not there */
	qsa_place_t place;
	str entity;
	unsigned int dialogs_no;
	const qsa_dialog_t *dialogs;
	const qsa_dialog_t *lamp; /**< the dialog that a lamp shows, one of these; NULL: there is none */
} qsa_dialogs_t;

/** A contact of a registration (RFC 3680, 5.3), with the GRUUs of RFC 5628. */
typedef struct qsa_registered
{
	str id;
	str state; /**< "active" or "terminated" */
	str event; /**< what led to the state, such as "registered" or "expired" */
	str uri;
	str display;
	str q;
	str call_id;
	int64_t cseq;
	int64_t duration; /**< seconds since it was registered */
	int64_t expires;  /**< seconds until it expires */
	int64_t retry_after;
	unsigned int params_no;
	const qsa_pair_t *params; /**< those that RFC 3680 has no element for */
	str pub_gruu;
	str temp_gruu;
	int64_t first_cseq; /**< of the REGISTER that was first given a temporary GRUU */
} qsa_registered_t;

/** The registration of one address of record (RFC 3680, 5.2). */
typedef struct qsa_registration
{
	str aor;
	str id;
	str state; /**< "init", "active" or "terminated" */
	unsigned int contacts_no;
	const qsa_registered_t *contacts;
} qsa_registration_t;

/** The registrations of a user (RFC 3680). */
typedef struct qsa_registrations
{
	unsigned int size; /**< as the module knows it: members beyond are not there */
	qsa_place_t place;
	unsigned int registrations_no;
	const qsa_registration_t *registrations;
} qsa_registrations_t;

/** A watcher (RFC 3858, 4.4). */
typedef struct qsa_watcher
{
	str id;
	str status; /**< "pending", "active", "waiting" or "terminated" */
	str event;	/**< what led to the status, such as "subscribe" */
	str uri;
	str display;
	str lang;			/**< of the display name */
	int64_t expiration; /**< seconds until the subscription expires */
	int64_t duration;	/**< seconds since it was made */
} qsa_watcher_t;

/** The watchers of a resource in a package (RFC 3858, 4.3). */
typedef struct qsa_watcher_list
{
	str resource;
	str package;
	unsigned int watchers_no;
	const qsa_watcher_t *watchers;
} qsa_watcher_list_t;

/** The watchers of resources (RFC 3858). */
typedef struct qsa_watchers
{
	unsigned int size; /**< as the module knows it: members beyond are not there */
	qsa_place_t place;
	unsigned int lists_no;
	const qsa_watcher_list_t *lists;
} qsa_watchers_t;

/** The messages of one class (RFC 3842), and how many there are. */
typedef struct qsa_waiting_class
{
	str name; /**< in lower case, such as "voice-message" */
	int64_t new_no;
	int64_t old_no;
	int64_t urgent_new_no;
	int64_t urgent_old_no;
} qsa_waiting_class_t;

/** A new message. */
typedef struct qsa_waiting_message
{
	unsigned int headers_no;
	const qsa_pair_t *headers;
} qsa_waiting_message_t;

/** Waiting messages of an account (RFC 3842). */
typedef struct qsa_waiting
{
	unsigned int size; /**< as the module knows it: members beyond are not there */
	int waiting;	   /**< 1: messages wait; 0: none; -1: unknown. If the document does not say it, its counts do */
	str account;
	unsigned int classes_no;
	const qsa_waiting_class_t *classes;
	unsigned int messages_no;
	const qsa_waiting_message_t *messages;
} qsa_waiting_t;

/** Which member of qsa_document_t holds the document. Later ones are added at the end: ignore what you do not know. */
enum qsa_kind
{
	QSA_KIND_PRESENCE = 1,		/**< application/pidf+xml */
	QSA_KIND_DIALOGS = 2,		/**< application/dialog-info+xml */
	QSA_KIND_REGISTRATIONS = 3, /**< application/reginfo+xml */
	QSA_KIND_WATCHERS = 4,		/**< application/watcherinfo+xml */
	QSA_KIND_WAITING = 5		/**< application/simple-message-summary */
};

/** The document of a message. */
typedef struct qsa_document
{
	unsigned int size; /**< as the module knows it: members beyond are not there */
	int kind;		   /**< enum qsa_kind */
	union
	{
		const qsa_presentity_t *presence;
		const qsa_dialogs_t *dialogs;
		const qsa_registrations_t *registrations;
		const qsa_watchers_t *watchers;
		const qsa_waiting_t *waiting;
	} as;
} qsa_document_t;

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The documents of messages: every member of every structure, as fields of an RPC reply.
 */
#include "qsa_test.h"

static void *object(rpc_t *rpc, void *st, char *name)
{
	void *inner = NULL;

	return rpc->struct_add(st, "{", name, &inner) < 0 ? NULL : inner;
}

static void *array(rpc_t *rpc, void *st, char *name)
{
	void *list = NULL;

	return rpc->struct_add(st, "[", name, &list) < 0 ? NULL : list;
}

static void *item(rpc_t *rpc, void *list)
{
	void *st = NULL;

	return list == NULL || rpc->array_add(list, "{", &st) < 0 ? NULL : st;
}

static void add_texts(rpc_t *rpc, void *st, char *name, unsigned int no, const str *texts)
{
	void *list = array(rpc, st, name);
	unsigned int i;

	for(i = 0; list != NULL && i < no; i++)
		rpc->array_add(list, "S", &texts[i]);
}

static void add_pairs(rpc_t *rpc, void *st, char *name, unsigned int no, const qsa_pair_t *pairs)
{
	void *inner, *list = array(rpc, st, name);
	unsigned int i;

	for(i = 0; i < no && (inner = item(rpc, list)) != NULL; i++)
		rpc->struct_add(inner, "SS", "name", &pairs[i].name, "value", &pairs[i].value);
}

static void add_place(rpc_t *rpc, void *st, const qsa_place_t *place)
{
	rpc->struct_add(st, "dd", "version", (int)place->version, "full", place->is_full);
}

static void add_notes(rpc_t *rpc, void *st, unsigned int no, const qsa_note_t *notes)
{
	void *inner, *list = array(rpc, st, "notes");
	unsigned int i;

	for(i = 0; i < no && (inner = item(rpc, list)) != NULL; i++)
		rpc->struct_add(inner, "SS", "lang", &notes[i].lang, "text", &notes[i].text);
}

static void add_extensions(rpc_t *rpc, void *st, char *name, unsigned int no, const qsa_extension_t *extensions)
{
	void *inner, *list = array(rpc, st, name);
	unsigned int i;

	for(i = 0; i < no && (inner = item(rpc, list)) != NULL; i++)
		rpc->struct_add(inner, "SSS", "ns", &extensions[i].ns, "name", &extensions[i].name, "xml", &extensions[i].xml);
}

static void add_rpid(rpc_t *rpc, void *st, unsigned int no, const qsa_rpid_element_t *elements)
{
	void *inner, *list = array(rpc, st, "rpid");
	unsigned int i;

	for(i = 0; i < no && (inner = item(rpc, list)) != NULL; i++) {
		rpc->struct_add(inner, "dSS", "kind", elements[i].kind, "from", &elements[i].from, "until", &elements[i].until);
		add_texts(rpc, inner, "values", elements[i].values_no, elements[i].values);
	}
}

static void add_entities(rpc_t *rpc, void *st, char *name, unsigned int no, const qsa_entity_t *entities)
{
	void *inner, *list = array(rpc, st, name);
	unsigned int i;

	for(i = 0; i < no && (inner = item(rpc, list)) != NULL; i++) {
		rpc->struct_add(inner, "SSS", "id", &entities[i].id, "device_id", &entities[i].device_id, "timestamp",
				&entities[i].timestamp);
		add_rpid(rpc, inner, entities[i].rpid_no, entities[i].rpid);
		add_notes(rpc, inner, entities[i].notes_no, entities[i].notes);
	}
}

static void add_tuple(rpc_t *rpc, void *list, const qsa_tuple_t *tuple, const qsa_service_t *service)
{
	static char *basics[] = {"unknown", "open", "closed"};
	void *inner = item(rpc, list);

	if(inner == NULL)
		return;
	rpc->struct_add(inner, "SsSdSS", "id", &tuple->id, "basic", basics[tuple->basic], "contact", &tuple->contact.uri,
			"priority", tuple->contact.priority, "timestamp", &tuple->timestamp, "device_id", &service->device_id);
	add_notes(rpc, inner, tuple->notes_no, tuple->notes);
	add_extensions(rpc, inner, "status_extensions", tuple->status_extensions_no, tuple->status_extensions);
	add_extensions(rpc, inner, "extensions", tuple->extensions_no, tuple->extensions);
	add_rpid(rpc, inner, service->rpid_no, service->rpid);
}

static void add_presentity(rpc_t *rpc, void *st, const qsa_presentity_t *p)
{
	unsigned int i;
	void *list;

	rpc->struct_add(st, "S", "entity", &p->entity);
	list = array(rpc, st, "tuples");
	for(i = 0; i < p->tuples_no; i++)
		add_tuple(rpc, list, &p->tuples[i], &p->services[i]);
	add_notes(rpc, st, p->notes_no, p->notes);
	add_extensions(rpc, st, "extensions", p->extensions_no, p->extensions);
	add_entities(rpc, st, "persons", p->persons_no, p->persons);
	add_entities(rpc, st, "devices", p->devices_no, p->devices);
}

static void add_identity(rpc_t *rpc, void *st, char *name, const qsa_identity_t *identity)
{
	void *inner = object(rpc, st, name);

	if(inner != NULL)
		rpc->struct_add(inner, "SS", "uri", &identity->uri, "display", &identity->display);
}

static void add_side(rpc_t *rpc, void *st, char *name, const qsa_dialog_side_t *side)
{
	void *inner = object(rpc, st, name);

	if(inner == NULL)
		return;
	rpc->struct_add(inner, "SSSd", "target", &side->target, "session_type", &side->session_type, "session",
			&side->session, "cseq", (int)side->cseq);
	add_identity(rpc, inner, "identity", &side->identity);
	add_pairs(rpc, inner, "params", side->params_no, side->params);
}

static void add_dialogs(rpc_t *rpc, void *st, const qsa_dialogs_t *d)
{
	const qsa_dialog_t *each;
	void *inner, *list;
	unsigned int i;

	add_place(rpc, st, &d->place);
	rpc->struct_add(st, "Sd", "entity", &d->entity, "lamp", d->lamp == NULL ? -1 : (int)(d->lamp - d->dialogs));
	list = array(rpc, st, "dialogs");
	for(i = 0; i < d->dialogs_no && (inner = item(rpc, list)) != NULL; i++) {
		each = &d->dialogs[i];
		rpc->struct_add(inner, "SSSSSSSddd", "id", &each->id, "call_id", &each->call_id, "local_tag", &each->local_tag,
				"remote_tag", &each->remote_tag, "direction", &each->direction, "state", &each->state, "event",
				&each->event, "code", each->code, "duration", (int)each->duration, "has_replaces", each->has_replaces);
		rpc->struct_add(inner, "SSS", "replaces_call_id", &each->replaces_call_id, "replaces_local_tag",
				&each->replaces_local_tag, "replaces_remote_tag", &each->replaces_remote_tag);
		add_identity(rpc, inner, "referred_by", &each->referred_by);
		add_texts(rpc, inner, "route_set", each->route_set_no, each->route_set);
		add_side(rpc, inner, "local", &each->local);
		add_side(rpc, inner, "remote", &each->remote);
	}
}

static void add_contact(rpc_t *rpc, void *list, const qsa_registered_t *c)
{
	void *inner = item(rpc, list);

	if(inner == NULL)
		return;
	rpc->struct_add(inner, "SSSSSSSSS", "id", &c->id, "state", &c->state, "event", &c->event, "uri", &c->uri, "display",
			&c->display, "q", &c->q, "call_id", &c->call_id, "pub_gruu", &c->pub_gruu, "temp_gruu", &c->temp_gruu);
	rpc->struct_add(inner, "ddddd", "cseq", (int)c->cseq, "duration", (int)c->duration, "expires", (int)c->expires,
			"retry_after", (int)c->retry_after, "first_cseq", (int)c->first_cseq);
	add_pairs(rpc, inner, "params", c->params_no, c->params);
}

static void add_registrations(rpc_t *rpc, void *st, const qsa_registrations_t *r)
{
	const qsa_registration_t *each;
	void *inner, *contacts, *list;
	unsigned int i, j;

	add_place(rpc, st, &r->place);
	list = array(rpc, st, "registrations");
	for(i = 0; i < r->registrations_no && (inner = item(rpc, list)) != NULL; i++) {
		each = &r->registrations[i];
		rpc->struct_add(inner, "SSS", "aor", &each->aor, "id", &each->id, "state", &each->state);
		contacts = array(rpc, inner, "contacts");
		for(j = 0; j < each->contacts_no; j++)
			add_contact(rpc, contacts, &each->contacts[j]);
	}
}

static void add_watchers(rpc_t *rpc, void *st, const qsa_watchers_t *w)
{
	const qsa_watcher_t *each;
	void *inner, *watchers, *list;
	unsigned int i, j;

	add_place(rpc, st, &w->place);
	list = array(rpc, st, "lists");
	for(i = 0; i < w->lists_no && (inner = item(rpc, list)) != NULL; i++) {
		rpc->struct_add(inner, "SS", "resource", &w->lists[i].resource, "package", &w->lists[i].package);
		watchers = array(rpc, inner, "watchers");
		for(j = 0; j < w->lists[i].watchers_no && (inner = item(rpc, watchers)) != NULL; j++) {
			each = &w->lists[i].watchers[j];
			rpc->struct_add(inner, "SSSSSSdd", "id", &each->id, "status", &each->status, "event", &each->event, "uri",
					&each->uri, "display", &each->display, "lang", &each->lang, "expiration", (int)each->expiration,
					"duration", (int)each->duration);
		}
	}
}

static void add_waiting(rpc_t *rpc, void *st, const qsa_waiting_t *w)
{
	void *inner, *list;
	unsigned int i;

	rpc->struct_add(st, "dS", "waiting", w->waiting, "account", &w->account);
	list = array(rpc, st, "classes");
	for(i = 0; i < w->classes_no && (inner = item(rpc, list)) != NULL; i++)
		rpc->struct_add(inner, "Sdddd", "name", &w->classes[i].name, "new", (int)w->classes[i].new_no, "old",
				(int)w->classes[i].old_no, "urgent_new", (int)w->classes[i].urgent_new_no, "urgent_old",
				(int)w->classes[i].urgent_old_no);
	list = array(rpc, st, "messages");
	for(i = 0; i < w->messages_no && (inner = item(rpc, list)) != NULL; i++)
		add_pairs(rpc, inner, "headers", w->messages[i].headers_no, w->messages[i].headers);
}

void add_document(rpc_t *rpc, void *st, qsa_message_t *message)
{
	static char *kinds[] = {"", "presentity", "dialogs", "registrations", "watchers", "waiting"};
	const qsa_presentity_t *presentity;
	const qsa_document_t *document;
	void *inner;

	if(qsa.message_document(message, &document) < 0)
		return;
	if(document->kind < QSA_KIND_PRESENCE || document->kind > QSA_KIND_WAITING
			|| (inner = object(rpc, st, kinds[document->kind])) == NULL)
		return;
	switch(document->kind) {
		case QSA_KIND_PRESENCE:
			/* both ways lead to the same */
			if(qsa.message_presentity(message, &presentity) == 0 && presentity == document->as.presence)
				add_presentity(rpc, inner, presentity);
			break;
		case QSA_KIND_DIALOGS:
			add_dialogs(rpc, inner, document->as.dialogs);
			break;
		case QSA_KIND_REGISTRATIONS:
			add_registrations(rpc, inner, document->as.registrations);
			break;
		case QSA_KIND_WATCHERS:
			add_watchers(rpc, inner, document->as.watchers);
			break;
		case QSA_KIND_WAITING:
			add_waiting(rpc, inner, document->as.waiting);
			break;
	}
}

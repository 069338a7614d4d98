/* SPDX-License-Identifier: GPL-2.0-or-later
 * The routing script, and the modules we work with besides tm.
 */
#include "shim.h"

int pb2b_event_route(const char *name)
{
	/* route_get() would create the missing route; this only looks. */
	int number = route_lookup(&event_rt, (char *)name);

	return number >= 0 && event_rt.rlist[number] != NULL ? number : -1;
}

int pb2b_in_request_route(void)
{
	return get_route_type() == REQUEST_ROUTE;
}

int pb2b_has_kemi_engine(void)
{
	return sr_kemi_eng_get() != NULL;
}

/* The message that the server makes up, as it is before a route has touched it. What has been changed is made afresh:
 * anything attached to it would stay, and the next event would see it. */
static sip_msg_t untouched;
static int is_untouched = 0;

static sip_msg_t *made_up_message(void)
{
	sip_msg_t *msg = faked_msg_next();

	if(msg == NULL)
		return NULL;
	if(!is_untouched) {
		if(faked_msg_get_new(&untouched) < 0)
			return NULL;
		free_sip_msg(msg);
		*msg = untouched;
		is_untouched = 1;
		msg = faked_msg_next();
	}
	untouched.id = msg->id;
	untouched.pid = msg->pid;
	untouched.tval = msg->tval;
	return msg;
}

void pb2b_forget_route(void)
{
	ksr_msg_env_reset();
	clear_branches();
	setsflagsval(0);
}

int pb2b_run_event_route(int number, const str *kemi_callback, const str *event, const struct tm_binds *tm)
{
	struct run_act_ctx ctx;
	sr_kemi_eng_t *engine = NULL;
	sip_msg_t *msg;
	int route_type_before;
	int ran = 0;
	str callback;
	str name;

	if(number < 0) {
		if(kemi_callback == NULL || kemi_callback->s == NULL || kemi_callback->len <= 0)
			return -1;
		engine = sr_kemi_eng_get();
		if(engine == NULL)
			return -1;
	}
	msg = made_up_message();
	if(msg == NULL)
		return -1;

	/* no transaction of an earlier message is this one's */
	if(tm != NULL)
		tm->t_sett(T_UNDEFINED, T_BR_UNDEFINED);
	route_type_before = get_route_type();
	set_route_type(EVENT_ROUTE);
	init_run_actions_ctx(&ctx);
	if(number >= 0) {
		run_top_route(event_rt.rlist[number], msg, &ctx);
	} else {
		callback = *kemi_callback;
		name = *event;
		ran = sr_kemi_ctx_route(engine, &ctx, msg, EVENT_ROUTE, &callback, &name);
	}
	set_route_type(route_type_before);

	/* other modules let go of what they keep for a message, as dialog does of its dialog */
	if(tm != NULL)
		pb2b_let_go(tm, msg);
	exec_post_script_cb(msg, REQUEST_CB_TYPE);
	pb2b_forget_route();
	if(memcmp(msg, &untouched, sizeof(*msg)) != 0) {
		free_sip_msg(msg);
		/* without memory the next event tries again */
		is_untouched = faked_msg_get_new(&untouched) >= 0;
		if(is_untouched)
			*msg = untouched;
		else
			memset(msg, 0, sizeof(*msg));
	}
	return ran < 0 ? -1 : 0;
}

int pb2b_load_dlg(struct dlg_binds *out)
{
	return load_dlg_api(out) < 0 ? -1 : 0;
}

/* Callbacks are added at the head and stay until the dialog goes, so the list can be walked at any time. */
int pb2b_dlg_has_callback(const struct dlg_cell *dlg, dialog_cb *callback, const void *param)
{
	const struct dlg_callback *cb;

	for(cb = dlg->cbs.first; cb != NULL; cb = cb->next)
		if(cb->callback == callback && cb->param == param)
			return 1;
	return 0;
}

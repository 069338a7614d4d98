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

int pb2b_has_kemi_engine(void)
{
	return sr_kemi_eng_get() != NULL;
}

int pb2b_run_event_route(int number, const str *kemi_callback, const str *event, sip_msg_t *msg)
{
	struct run_act_ctx ctx;
	struct run_act_ctx *outer;
	sr_kemi_eng_t *engine = NULL;
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
	if(msg == NULL)
		msg = faked_msg_next();
	if(msg == NULL)
		return -1;

	route_type_before = get_route_type();
	set_route_type(EVENT_ROUTE);
	init_run_actions_ctx(&ctx);
	if(number >= 0) {
		run_top_route(event_rt.rlist[number], msg, &ctx);
	} else {
		callback = *kemi_callback;
		name = *event;
		outer = sr_kemi_act_ctx_get();
		sr_kemi_act_ctx_set(&ctx);
		ran = sr_kemi_route(engine, msg, EVENT_ROUTE, &callback, &name);
		sr_kemi_act_ctx_set(outer);
	}
	set_route_type(route_type_before);
	if(ran < 0)
		return -1;
	return (ctx.run_flags & DROP_R_F) != 0;
}

int pb2b_load_dlg(struct dlg_binds *out)
{
	return load_dlg_api(out) < 0 ? -1 : 0;
}


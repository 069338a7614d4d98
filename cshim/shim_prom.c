/* SPDX-License-Identifier: GPL-2.0-or-later
 * Metrics with labels: the module xhttp_prom, which other modules can use since Kamailio 6.1.
 */
#include "shim.h"

#if __has_include("modules/xhttp_prom/bind_prom.h")

#include "modules/xhttp_prom/bind_prom.h"

/* What the module xhttp_prom has given; set before the fork. */
static prom_api_t pb2b_prom;

int pb2b_prom_bind(void)
{
	/* prom_load_api() logs an error where the module is not loaded */
	bind_prom_f bind = (bind_prom_f)find_export("bind_prom", NO_SCRIPT, 0);

	if(bind == NULL || bind(&pb2b_prom) < 0)
		return -1;
	return pb2b_prom.counter_create == NULL || pb2b_prom.gauge_create == NULL || pb2b_prom.histogram_create == NULL
		|| pb2b_prom.counter_inc == NULL || pb2b_prom.gauge_set == NULL || pb2b_prom.histogram_observe == NULL ? -1 : 0;
}

int pb2b_prom_create(int kind, char *spec)
{
	if(kind == PB2B_PROM_COUNTER)
		return pb2b_prom.counter_create(spec) == 0 ? 0 : -1;
	if(kind == PB2B_PROM_GAUGE)
		return pb2b_prom.gauge_create(spec) == 0 ? 0 : -1;
	return pb2b_prom.histogram_create(spec) == 0 ? 0 : -1;
}

int pb2b_prom_give(int kind, str *name, double number, str *first, str *second)
{
	if(kind == PB2B_PROM_COUNTER)
		return pb2b_prom.counter_inc(name, (int)number, first, second, NULL) == 0 ? 0 : -1;
	if(kind == PB2B_PROM_GAUGE)
		return pb2b_prom.gauge_set(name, number, first, second, NULL) == 0 ? 0 : -1;
	return pb2b_prom.histogram_observe(name, number, first, second, NULL) == 0 ? 0 : -1;
}

#else

int pb2b_prom_bind(void)
{
	return -1;
}

int pb2b_prom_create(int kind, char *spec)
{
	return -1;
}

int pb2b_prom_give(int kind, str *name, double number, str *first, str *second)
{
	return -1;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later
 * The parameters of other modules.
 */
#include "shim.h"

/* The place of a parameter's value; NULL without the module or the parameter, or where a function takes the value. */
static void *place_of(const char *module, const char *name, modparam_t wanted)
{
	struct sr_module *loaded = find_module_by_name((char *)module);
	modparam_t type = 0;
	void *place;

	if(loaded == NULL)
		return NULL;
	place = find_param_export(loaded, (char *)name, wanted, &type);
	return (type & PARAM_USE_FUNC) ? NULL : place;
}

int pb2b_param_int(const char *module, const char *name, int *out)
{
	int *place = place_of(module, name, PARAM_INT);

	if(place == NULL)
		return -1;
	*out = *place;
	return 0;
}

int pb2b_param_str(const char *module, const char *name, str *out)
{
	str *place = place_of(module, name, PARAM_STR);

	if(place == NULL)
		return -1;
	*out = *place;
	return 0;
}

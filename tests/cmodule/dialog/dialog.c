/* SPDX-License-Identifier: GPL-2.0-or-later
 * Takes the place of the module dialog: every message belongs to a call, which takes no callback, as when shared memory is
 * exhausted.
 */
#include <string.h>

#include "core/dprint.h"
#include "core/sr_module.h"
#include "modules/dialog/dlg_load.h"
#include "modules/dialog/dlg_hash.h"

MODULE_VERSION

static struct dlg_cell call;

static struct dlg_cell *get(struct sip_msg *msg)
{
	(void)msg;
	return &call;
}

static int refuse(struct dlg_cell *dlg, int types, dialog_cb callback, void *param, param_free_cb free_param)
{
	(void)dlg, (void)types, (void)callback, (void)param, (void)free_param;
	return -1;
}

static void release(struct dlg_cell *dlg)
{
	if(dlg == &call)
		LM_NOTICE("RELEASED\n");
}

static int load(struct dlg_binds *api)
{
	memset(api, 0, sizeof(*api));
	api->get_dlg = get;
	api->register_dlgcb = refuse;
	api->release_dlg = release;
	return 1;
}

static cmd_export_t commands[] = {{"load_dlg", (cmd_function)load, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 0}};

struct module_exports exports = {"dialog", DEFAULT_DLFLAGS, commands, NULL, NULL, NULL, NULL, NULL, NULL, NULL};

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tm_test: a C module that stands between tm and the modules that send requests. It belongs to the tests of presence_b2b.
 * For a request to a user of the form tm-<word>-<word>..., it does what the words say, instead of tm: three digits tell the
 * end of the transaction with this code, as tm makes it up; "fail", "memory" and "drop" are what the call returns then.
 * All other requests go to tm.
 */
#include "core/sr_module.h"
#include "core/ver.h"
#include "modules/tm/tm_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

MODULE_VERSION

static struct tm_binds tm;

/* Kamailio 6.0 renamed it. */
#if VERSIONVAL >= 6000000
#define CELL_CSEQ cseq_hdr_n
#else
#define CELL_CSEQ cseq_n
#endif

static void tell(uac_req_t *uac, int code)
{
	static struct cell cell;
	static char text[32];
	struct tmcb_params params;

	memset(&params, 0, sizeof(params));
	cell.CELL_CSEQ.s = text;
	cell.CELL_CSEQ.len = snprintf(text, sizeof(text), "CSeq: %u ",
			(unsigned)uac->dialog->loc_seq.value + 1);
	params.rpl = FAKED_REPLY;
	params.code = code;
	params.param = &uac->cbp;
	uac->cb(&cell, TMCB_LOCAL_COMPLETED, &params);
}

static int request_within(uac_req_t *uac)
{
	char words[64] = "", *word, *rest = NULL;
	str uri = uac->dialog->rem_uri;
	int i, result = 1;

	for(i = 0; i + 4 < uri.len && strncmp(uri.s + i, ":tm-", 4) != 0; i++)
		;
	if(i + 4 >= uri.len)
		return tm.t_request_within(uac);
	snprintf(words, sizeof(words), "%.*s", uri.len - i - 4, uri.s + i + 4);
	words[strcspn(words, "@")] = '\0';
	for(word = strtok_r(words, "-", &rest); word != NULL;
			word = strtok_r(NULL, "-", &rest)) {
		if(atoi(word) > 0)
			tell(uac, atoi(word));
		else if(strcmp(word, "fail") == 0)
			result = -1;
		else if(strcmp(word, "memory") == 0)
			result = E_OUT_OF_MEM;
		else if(strcmp(word, "drop") == 0)
			result = 0;
	}
	return result;
}

static int load(struct tm_binds *out)
{
	load_tm_f load_tm = (load_tm_f)find_mod_export("tm", "load_tm", NO_SCRIPT, 0);

	if(load_tm == NULL || load_tm(&tm) < 0)
		return -1;
	*out = tm;
	out->t_request_within = request_within;
	return 0;
}

static cmd_export_t commands[] = {
		{"load_tm", (cmd_function)load, NO_SCRIPT, 0, 0, 0}, {0, 0, 0, 0, 0, 0}};

struct module_exports exports = {
		"tm_test",		 /* module name */
		DEFAULT_DLFLAGS, /* dlopen flags */
		commands,		 /* exported functions */
		NULL,			 /* exported parameters */
		NULL,			 /* RPC commands */
		NULL,			 /* pseudo-variables */
		NULL,			 /* response function */
		NULL,			 /* module initialization */
		NULL,			 /* per-child initialization */
		NULL			 /* destroy function */
};

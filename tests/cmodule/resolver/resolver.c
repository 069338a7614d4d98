/* SPDX-License-Identifier: GPL-2.0-or-later
 * A Kamailio module for the tests: the server asks this name server and no other, on any port. /etc/resolv.conf cannot
 * name a port, and another resolv.conf, or port 53, would need root.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <resolv.h>
#include <string.h>

#include "core/sr_module.h"

MODULE_VERSION

static char *address = "127.0.0.1";
static int port = 53;

/* The resolver's state is each process's own, and those forked later inherit it. */
static int mod_init(void)
{
	struct sockaddr_in server;

	memset(&server, 0, sizeof(server));
	server.sin_family = AF_INET;
	server.sin_port = htons((unsigned short)port);
	if(inet_pton(AF_INET, address, &server.sin_addr) != 1 || res_init() != 0) {
		LM_ERR("no resolver, or %s is no address\n", address);
		return -1;
	}
	_res.nsaddr_list[0] = server;
	_res.nscount = 1;
	/* One answer, right or wrong, is enough: no search list, and no look at resolv.conf ever again. */
	_res.options = (_res.options & ~(RES_DNSRCH | RES_DEFNAMES)) | RES_NORELOAD;
	return 0;
}

static param_export_t params[] = {{"address", PARAM_STRING, &address}, {"port", PARAM_INT, &port}, {0, 0, 0}};

struct module_exports exports = {"resolver", DEFAULT_DLFLAGS, 0, params, 0, 0, 0, mod_init, 0, 0};

#pragma once

/* Between the files of rtnetlink. */

void rtnl_link_init(void);
void rtnl_qdisc_init(void);

// sources: kernel/net/tcp/ack.c kernel/net/tcp/cc.c kernel/net/tcp/conn.c kernel/net/tcp/direct.c kernel/net/tcp/info.c kernel/net/tcp/input.c kernel/net/tcp/listen.c kernel/net/tcp/output.c kernel/net/tcp/receive.c kernel/net/tcp/recovery.c kernel/net/tcp/rtt.c kernel/net/tcp/runs.c kernel/net/tcp/timer.c kernel/net/tcp/timewait.c kernel/net/tcp/segment.c kernel/lib/siphash.c
/* What RFC 9293 and its companions ask for, as scripts: what comes in, what must go out. */
#include "tcp_script.h"

/* RFC 9293 3.5 figure 6, 3.6 figure 12 */
SCRIPT(active_open_and_close, ACTIVE
	"write 500\n> A 1:500 ack=1\n+20\n< A 1:0 ack=501 win=60000\nevent acked\n"
	"shutdown\n> FA 501:0 ack=1\nstate FIN_WAIT1\n"
	"+20\n< A 1:0 ack=502 win=60000\nstate FIN_WAIT2\n"
	"< FA 1:0 ack=502 win=60000\n> A 502:0 ack=2\nstate TIME_WAIT\nevent time_wait\nevent eof\n")

SCRIPT(passive_open_and_close, PASSIVE
	"< FA 1:0 ack=1\n> A 1:0 ack=2\nstate CLOSE_WAIT\nevent eof\n"
	"write 100\n> A 1:100 ack=2\n< A 2:0 ack=101\n"
	"close\n> FA 101:0 ack=2\nstate LAST_ACK\n< A 2:0 ack=102\nstate CLOSE\nevent closed\nerror 0\n")

/* Figure 7 */
SCRIPT(simultaneous_open,
	"connect\n> S 0:0\n< S 0:0 mss=1000 sackok win=60000\n> SA 0:0 ack=1\nstate SYN_RECV\n"
	"< SA 0:0 ack=1 mss=1000 sackok\nstate ESTABLISHED\nevent connected\n+50\nnone\n"
	"write 10\n> A 1:10 ack=1\n")

SCRIPT(simultaneous_open_by_plain_ack,
	"connect\n> S 0:0\n< S 0:0 mss=1000 sackok win=60000\n> SA 0:0 ack=1\n"
	"< A 1:0 ack=1\nstate ESTABLISHED\n")

/* Figure 13 */
SCRIPT(simultaneous_close, ACTIVE
	"shutdown\n> FA 1:0\n< FA 1:0 ack=1\n> A 2:0 ack=2\nstate CLOSING\n"
	"< A 2:0 ack=2\nstate TIME_WAIT\n")

SCRIPT(fin_with_the_ack_of_ours, ACTIVE
	"shutdown\n> FA 1:0\n< FA 1:0 ack=2\n> A 2:0 ack=2\nstate TIME_WAIT\n")

SCRIPT(connection_refused, "connect\n> S 0:0\n< RA 0:0 ack=1\nstate CLOSE\nerror 111\nevent error\nevent closed\n")

/* 3.10.7.3: a RST that does not acknowledge our SYN is somebody else's. */
SCRIPT(blind_rst_in_syn_sent, "connect\n> S 0:0\n< R 0:0\nstate SYN_SENT\n< RA 0:0 ack=7\nstate SYN_SENT\n")

/* Figure 9: an old duplicate answers; a RST at its acknowledgement, and the SYN goes on. */
SCRIPT(old_synack_is_reset,
	"connect\n> S 0:0\n< SA 0:0 ack=100\n> R 100:0\nstate SYN_SENT\n"
	"< SA 50:0 ack=1 mss=1000 win=60000\n> A 1:0\nstate ESTABLISHED\n")

/* 1 + 2 + 4 + … 64 s: tcp(7) tcp_syn_retries */
SCRIPT(syn_gives_up,
	"connect\n> S 0:0\n+999\nnone\n+1\n> S 0:0\n+2000\n> S 0:0\n+4000\n> S 0:0\n+8000\n> S 0:0\n"
	"+16000\n> S 0:0\n+32000\n> S 0:0\n+63999\nnone\nstate SYN_SENT\n+1\nstate CLOSE\nerror 110\n")

SCRIPT(synack_is_repeated,
	"listen\n< S 0:0 mss=1000\n> SA 0:0 ack=1\n< S 0:0 mss=1000\n> SA 0:0 ack=1\n+1000\n> SA 0:0 ack=1\n"
	"< A 1:0 ack=1\nstate ESTABLISHED\n")

SCRIPT(request_checks_the_ack,
	"listen\n< S 0:0 mss=1000\n> SA 0:0 ack=1\n< A 1:0 ack=5\n> R 5:0\nverdict reset\n"
	"< R 9:0\nverdict drop\n< R 1:0\nverdict dead\n")

SCRIPT(data_with_the_third_segment,
	"listen\n< S 0:0 mss=1000\n> SA 0:0 ack=1\n< A 1:300 ack=1\nstate ESTABLISHED\nreadable 300\n> A 1:0 ack=301\n")

/* RFC 7323 1.3: both must ask. */
SCRIPT(options_need_both, "cfg ts ws\nconnect\n> S 0:0 ts=0,0 ws=0 sackok\n< SA 0:0 ack=1 mss=800 win=1000\n> A 1:0 win=60000\nwrite 2000\n> A 1:1000\n")

/* RFC 8985 6.2 step 2: what was sent again arrives, but the timestamp says it is what was sent first: that says nothing
 * of what was sent in between. */
SCRIPT(late_originals,
	"cfg ts\nconnect\n> S 0:0\n+20\n< SA 0:0 ack=1 mss=1000 sackok win=60000 ts=500,1000000\n> A 1:0\nwrite 9880\n> A 1:9880\n"
	"+20\n< A 1:0 ack=1 win=60000 ts=520,1000020 sack=989-1977 sack=2965-5929\n> A 1:988\n> A 1977:988\n"
	"+25\n< A 1:0 ack=1 win=60000 ts=520,1000020 sack=989-5929\nnone\n"
	"+1\n< A 1:0 ack=9881 win=60000 ts=546,1000020\nnone\n")

/* RFC 9293 3.8.6.2.1: two fit the largest window, however large segments may be. */
SCRIPT(small_window,
	"connect\n> S 0:0\n< SA 0:0 ack=1 mss=1000 win=1200\n> A 1:0\nwrite 5000\n> A 1:1200\n< A 1:0 ack=601 win=1200\n> A 1201:600\n")

SCRIPT(scaled_window,
	"cfg ws space=262144\nconnect\n> S 0:0 ws=3 win=65535\n< SA 0:0 ack=1 mss=1000 win=500 ws=4\n> A 1:0 win=32768\n"
	"write 9000\n> A 1:500\n"
	"# not scaled in the SYN; from now on it is\n< A 1:0 ack=501 win=500\n> A 501:8000\n")

/* RFC 5961 3.2 */
SCRIPT(rst_must_be_exact, ACTIVE
	"< R 100:0\n> A 1:0 ack=1\nstate ESTABLISHED\n+600\n< R 70000:0\nnone\nstate ESTABLISHED\n"
	"< R 1:0\nstate CLOSE\nerror 104\n")

SCRIPT(rst_after_their_fin_is_epipe, ACTIVE
	"< FA 1:0 ack=1\n> A 1:0 ack=2\n< R 2:0\nstate CLOSE\nerror 32\n")

/* RFC 5961 4.2 */
SCRIPT(syn_in_window_is_challenged, ACTIVE "< S 1:0\n> A 1:0 ack=1\nstate ESTABLISHED\n< S 1:0\nnone\n+501\n< SA 5:0 ack=1\n> A 1:0 ack=1\n")

/* RFC 5961 5.2 */
SCRIPT(ack_of_the_future_is_challenged, ACTIVE "< A 1:100 ack=50\n> A 1:0 ack=1\nreadable 0\nuna 1\n")

/* RFC 7323 5.3 */
SCRIPT(paws_drops_old_duplicates,
	"cfg ts\nconnect\n> S 0:0\n< SA 0:0 ack=1 mss=1000 ts=5000,0\n> A 1:0 ts=0,5000\n"
	"< A 1:100 ack=1 ts=5010,0\n> A 1:0 ack=101 ts=0,5010\n"
	"< A 101:100 ack=1 ts=4000,0\n> A 1:0 ack=101\nreadable 100\n"
	"< A 101:100 ack=1 ts=5011,0\n> A 1:0 ack=201 ts=0,5011\nreadable 200\n")

/* RFC 9293 3.8.6.3, RFC 5681 4.2: every second full segment at once, else within 500 ms. */
SCRIPT(delayed_ack, ACTIVE "quickack 0\n"
	"< A 1:1000 ack=1\nnone\n< A 1001:1000 ack=1\n> A 1:0 ack=2001\n"
	"< A 2001:10 ack=1\n+39\nnone\n+1\n> A 1:0 ack=2011\n")

SCRIPT(answer_carries_the_ack, ACTIVE "quickack 0\n"
	"< A 1:100 ack=1\nnone\nwrite 50\n> A 1:50 ack=101\n+30\nnone\n< A 101:0 ack=51\n")

SCRIPT(quick_acks_first, ACTIVE "< A 1:10 ack=1\n> A 1:0 ack=11\n< A 11:10 ack=1\n> A 1:0 ack=21\n")

SCRIPT(out_of_order_is_sacked_at_once, ACTIVE
	"< A 1001:1000 ack=1\n> A 1:0 ack=1 sack=1001-2001\n"
	"< A 3001:1000 ack=1\n> A 1:0 ack=1 sack=3001-4001 sack=1001-2001\n"
	"< A 2001:1000 ack=1\n> A 1:0 ack=1 sack=1001-4001\n"
	"readable 0\n< A 1:1000 ack=1\n> A 1:0 ack=4001\nreadable 4000\n")

/* RFC 2883 4.1, 4.2 */
SCRIPT(duplicates_are_reported, ACTIVE
	"< A 1:1000 ack=1\n> A 1:0 ack=1001\n< A 1:1000 ack=1\n> A 1:0 ack=1001 sack=1-1001\n"
	"< A 2001:1000 ack=1\n> A 1:0 sack=2001-3001\n< A 2001:1000 ack=1\n> A 1:0 ack=1001 sack=2001-3001 sack=2001-3001\n")

SCRIPT(fin_out_of_order, ACTIVE
	"< FA 1001:0 ack=1\n> A 1:0 ack=1\nstate ESTABLISHED\nnoevent eof\n"
	"< A 1:1000 ack=1\n> A 1:0 ack=1002\nstate CLOSE_WAIT\nevent eof\nreadable 1000\n")

SCRIPT(overlap_is_trimmed, ACTIVE
	"< A 1:1000 ack=1\n> A 1:0 ack=1001\n< A 501:1000 ack=1\n> A 1:0 ack=1501\nreadable 1500\n")

SCRIPT(beyond_the_window_is_cut, "cfg space=2000\n" ACTIVE
	"< A 1:3000 ack=1\n> A 1:0 ack=2001 win=0\nreadable 2000\n"
	"< A 2001:100 ack=1\n> A 1:0 ack=2001 win=0\n"
	"space 2000\n> A 1:0 ack=2001 win=2000\n")

/* RFC 9293 3.8.6.2.2 */
SCRIPT(small_window_updates_wait, "cfg space=10000\n" ACTIVE
	"< A 1:10000 ack=1\n> A 1:0 ack=10001 win=0\nspace 100\nnone\nspace 999\nnone\nspace 1000\n> A 1:0 ack=10001 win=1000\n"
	"space 1500\nnone\nspace 10000\n> A 1:0 win=10000\n")

SCRIPT(fin_into_a_closed_window, "cfg space=1000\n" ACTIVE
	"< A 1:1000 ack=1\n> A 1:0 ack=1001 win=0\n< FA 1001:0 ack=1\n> A 1:0 ack=1002 win=0\nstate CLOSE_WAIT\nspace 1000\nnone\n")

/* RFC 9293 3.7.4 */
SCRIPT(nagle, ACTIVE
	"write 10\n> A 1:10\nwrite 10\nnone\nwrite 10\nnone\n< A 1:0 ack=11\n> A 11:20\n"
	"write 1500\n> A 31:1000\nnone\n< A 1:0 ack=1031\n> A 1031:500\n")

/* The device's queue is long: what is in flight comes first. */
SCRIPT(held_by_the_device, ACTIVE
	"hold 1\nwrite 2000\n> A 1:2000\nwrite 2000\nnone\n< A 1:0 ack=1001 win=60000\nnone\n< A 1:0 ack=2001 win=60000\n"
	"> A 2001:2000\nwrite 10\nnone\nhold 0\n> A 4001:10\n")

SCRIPT(nodelay, ACTIVE "nodelay\nwrite 10\n> A 1:10\nwrite 10\n> A 11:10\nwrite 10\n> A 21:10\n")

/* tcp(7) TCP_CORK: 200 ms at most */
SCRIPT(cork, ACTIVE "cork 1\nwrite 10\nnone\nwrite 1500\n> A 1:1000\n< A 1:0 ack=1001\nnone\ncork 0\n> A 1001:510\n")
SCRIPT(cork_has_a_ceiling, ACTIVE "cork 1\nwrite 10\n+199\nnone\n+50\n> A 1:10\n")
SCRIPT(close_uncorks, ACTIVE "cork 1\nwrite 10\nnone\nclose\n> FA 1:10\n")

/* RFC 5681 3.2: three duplicate ACKs, without SACK */
SCRIPT(fast_retransmit, "cfg nosack\n" ACTIVE
	"write 10000\n> A 1:10000\n+20\n"
	"< A 1:0 ack=1 win=60000\n< A 1:0 ack=1 win=60000\nnone\n< A 1:0 ack=1 win=60000\n> A 1:1000\n"
	"+20\n< A 1:0 ack=10001\nuna 10001\nnone\n")

/* RFC 6582 3.2: a partial acknowledgement shows the next hole. */
SCRIPT(newreno_partial_ack, "cfg nosack reno\n" ACTIVE
	"write 10000\n> A 1:10000\n+20\n"
	"< A 1:0 ack=1 win=60000\n< A 1:0 ack=1 win=60000\n< A 1:0 ack=1 win=60000\n> A 1:1000\n"
	"+20\n< A 1:0 ack=5001 win=60000\n> A 5001:1000\n+20\n< A 1:0 ack=10001 win=60000\ncwnd 5000\n")

SCRIPT(window_update_is_no_duplicate, "cfg nosack\n" ACTIVE
	"write 5000\n> A 1:5000\n< A 1:0 ack=1 win=50000\n< A 1:0 ack=1 win=50001\n< A 1:0 ack=1 win=50002\n< A 1:0 ack=1 win=50003\nnone\n")

SCRIPT(sack_shows_the_hole, ACTIVE
	"write 10000\n> A 1:10000\n+20\n"
	"< A 1:0 ack=1001 win=60000\n< A 1:0 ack=1001 sack=2001-5001 win=60000\n> A 1001:1000\n"
	"< A 1:0 ack=1001 sack=2001-10001 win=60000\n+20\n< A 1:0 ack=10001 win=60000\nnone\n")

/* RFC 8985 6.2: one SACKed segment after it, and a quarter of the round trip. */
SCRIPT(rack_waits_for_reordering, ACTIVE
	"write 3000\n> A 1:3000\n+20\n< A 1:0 ack=1 sack=1001-2001 win=60000\nnone\n+4\nnone\n+2\n> A 1:1000\n")

/* RFC 8985 7.2: 2 SRTT and the delayed ACK of a single segment */
SCRIPT(tail_loss_probe, ACTIVE
	"write 3000\n> A 1:3000\n+39\nnone\n+2\n> A 2001:1000\n+20\n< A 1:0 ack=1 sack=2001-3001 win=60000\n> A 1:1000\n> A 1001:1000\n")
SCRIPT(tail_loss_probe_sends_new_data, ACTIVE
	"write 12000\n> A 1:10000\n+39\nnone\n+2\n> A 10001:1000\n")

/* RFC 6298 5: 200 ms at least here, doubled each time */
SCRIPT(retransmission_backs_off, "cfg nosack\n" ACTIVE
	"write 100\n> A 1:100\n+219\nnone\n+2\n> A 1:100\n+438\nnone\n+2\n> A 1:100\n+881\n> A 1:100\n"
	"+1000\n< A 1:0 ack=101 win=60000\n+5000\nnone\n")

SCRIPT(user_timeout, "cfg nosack\n" ACTIVE "usertimeout 1000\nwrite 100\n> A 1:100\n+221\n> A 1:100\n+441\n> A 1:100\n+900\nstate CLOSE\nerror 110\n")

/* RFC 9293 3.8.6.1 */
SCRIPT(zero_window_probe, ACTIVE
	"< A 1:0 ack=1 win=0\nwrite 100\nnone\n+219\nnone\n+2\n> A 0:0\n< A 1:0 ack=1 win=0\n+438\nnone\n+3\n> A 0:0\n"
	"< A 1:0 ack=1 win=60000\n> A 1:100\n< A 1:0 ack=101 win=60000\n")

/* Sender's silly window avoidance: half of the largest window, or all. */
SCRIPT(silly_window, ACTIVE
	"< A 1:0 ack=1 win=500\nwrite 2000\nnone\n+221\n> A 1:500\n< A 1:0 ack=501 win=500\nnone\n< A 1:0 ack=501 win=2000\n> A 501:1500\n")

/* The peer takes back what it offered: what is out stays out, nothing new goes. */
SCRIPT(window_shrinks, ACTIVE
	"write 20000\n> A 1:10000\n< A 1:0 ack=2001 win=1000\nnone\n< A 1:0 ack=10001 win=0\nnone\n< A 1:0 ack=10001 win=3000\n> A 10001:3000\n")

/* RFC 9293 3.8.4 */
SCRIPT(keepalive, ACTIVE
	"keepalive 10000 1000 3\n+9999\nnone\n+1\n> A 0:0\n< A 1:0 ack=1 win=60000\n+9999\nnone\n+1\n> A 0:0\n"
	"+1000\n> A 0:0\n+1000\n> A 0:0\n+1000\n> RA 1:0\nstate CLOSE\nerror 110\n")
SCRIPT(keepalive_is_answered, ACTIVE "< A 0:0 ack=1\n> A 1:0 ack=1\n")

SCRIPT(close_with_unread_data_resets, ACTIVE "< A 1:100 ack=1\n> A 1:0 ack=101\nreset\n> RA 1:0 ack=101\nstate CLOSE\nevent closed\n")
SCRIPT(data_after_close_is_reset, ACTIVE "close\n> FA 1:0\n< A 1:100 ack=2\n> RA 2:0\nstate CLOSE\n")
SCRIPT(orphan_fin_wait2_ends, ACTIVE "close\n> FA 1:0\n< A 1:0 ack=2\nstate FIN_WAIT2\n+59999\nstate FIN_WAIT2\n+2\nstate CLOSE\nevent closed\n")
SCRIPT(half_closed_receives, ACTIVE "shutdown\n> FA 1:0\n< A 1:0 ack=2\n< A 1:100 ack=2\n+41\n> A 2:0 ack=101\nreadable 100\n+100000\nstate FIN_WAIT2\n")
SCRIPT(abort_resets, ACTIVE "abort\n> RA 1:0\nstate CLOSE\n")
SCRIPT(fin_is_retransmitted, "cfg nosack\n" ACTIVE "write 100\n> A 1:100\nshutdown\n> FA 101:0\n+221\n> FA 1:100\n< A 1:0 ack=102\nstate FIN_WAIT2\n")

/* RFC 3168 6.1 */
SCRIPT(ecn_negotiation, "cfg ecn\nconnect\n> SEW 0:0\n< SAE 0:0 ack=1 mss=1000 sackok win=60000\n> A 1:0\n"
	"write 3000\n> A 1:3000 ect\n< AE 1:0 ack=1001 win=60000\nwrite 4000\n> AW 3001:2000 ect\n"
	"< A 1:100 ack=5001 ce win=60000\n> AE 5001:2000 ack=101 ect\n"
	"< A 101:100 ack=7001 win=60000\n+41\n> AE 7001:0 ack=201\n"
	"< AW 201:100 ack=7001 win=60000\n> A 7001:0 ack=301\n")
SCRIPT(ecn_refused, "cfg ecn\nconnect\n> SEW 0:0\n< SAEW 0:0 ack=1 mss=1000 sackok win=60000\n> A 1:0\nwrite 10\n> A 1:10\n")
SCRIPT(ecn_accepted, "cfg ecn\nlisten\n< SEW 0:0 mss=1000\n> SAE 0:0\n< A 1:0 ack=1\nwrite 10\n> A 1:10 ect\n")

/* RFC 6093 */
SCRIPT(urgent_out, ACTIVE "write 10\n> A 1:10\nurgent 1\nnodelay\n> AU 11:1 urg=1\n< A 1:0 ack=12\nwrite 5\n> A 12:5\n")
SCRIPT(urgent_in, ACTIVE "< AU 1:10 ack=1 urg=10\nevent urgent\n> A 1:0 ack=11\n< AU 1:10 ack=1 urg=10\nnoevent urgent\n> A 1:0\n")

SCRIPT(path_mtu, ACTIVE "write 5000\n> A 1:5000\n+5\npathmss 500\n> A 1:500\n> A 501:4500\n+20\n< A 1:0 ack=5001 win=60000\n")

/* RFC 9293 3.6.1, 3.10.7.4 */
#define TIMEWAIT ACTIVE "shutdown\n> FA 1:0\n< FA 1:0 ack=2\n> A 2:0 ack=2\nstate TIME_WAIT\ntimewait\n"
SCRIPT(time_wait_repeats_the_ack, TIMEWAIT "< FA 1:0 ack=2\n> A 2:0 ack=2\nverdict tw_ack\n< A 2:0 ack=2\nverdict tw_drop\n")
SCRIPT(time_wait_reset, TIMEWAIT "< R 50:0\nverdict tw_drop\n< R 2:0\nverdict tw_over\n")
SCRIPT(time_wait_new_syn, TIMEWAIT "< S 1:0 mss=1000\n> A 2:0\nverdict tw_ack\n< S 100000:0 mss=1000\nverdict tw_syn\n")
/* RFC 6191 */
SCRIPT(time_wait_new_syn_by_timestamp,
	"cfg ts\nconnect\n> S 0:0\n< SA 0:0 ack=1 mss=1000 ts=5000,0\n> A 1:0\nshutdown\n> FA 1:0\n< FA 1:0 ack=2 ts=5001,0\n> A 2:0\n"
	"timewait\n< S 1:0 ts=5000,0\n> A 2:0\nverdict tw_ack\n< S 1:0 ts=5002,0\nverdict tw_syn\n")

SCRIPT(shutdown_before_established, "connect\n> S 0:0\nwrite 100\nshutdown\nstate SYN_SENT\n< SA 0:0 ack=1 mss=1000 win=60000\n> FA 1:100 ack=1\nstate FIN_WAIT1\n")
SCRIPT(data_with_synack, "connect\n> S 0:0\n< SA 0:100 ack=1 mss=1000 win=60000\n> A 1:0 ack=101\nreadable 100\n")
/* lo: a segment may be larger than what offload makes of others */
SCRIPT(large_mss, "cfg mss=65496 space=4000000 ws\nconnect\n> S 0:0\n< SA 0:0 ack=1 mss=65496 ws=7 win=65535\n> A 1:0\n"
	"< A 1:0 ack=1 win=20000\nwrite 200000\n> A 1:65496\n> A 65497:65496\n< A 1:0 ack=130993 win=20000\n> A 130993:65496\n> A 196489:3512\n")
SCRIPT(one_byte_window, ACTIVE "< A 1:0 ack=1 win=0\nwrite 3\n< A 1:0 ack=1 win=1\nnone\n+221\n> A 1:1\n")

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(active_open_and_close),
		cmocka_unit_test(passive_open_and_close),
		cmocka_unit_test(simultaneous_open),
		cmocka_unit_test(simultaneous_open_by_plain_ack),
		cmocka_unit_test(simultaneous_close),
		cmocka_unit_test(fin_with_the_ack_of_ours),
		cmocka_unit_test(connection_refused),
		cmocka_unit_test(blind_rst_in_syn_sent),
		cmocka_unit_test(old_synack_is_reset),
		cmocka_unit_test(syn_gives_up),
		cmocka_unit_test(synack_is_repeated),
		cmocka_unit_test(request_checks_the_ack),
		cmocka_unit_test(data_with_the_third_segment),
		cmocka_unit_test(options_need_both),
		cmocka_unit_test(late_originals),
		cmocka_unit_test(small_window),
		cmocka_unit_test(scaled_window),
		cmocka_unit_test(rst_must_be_exact),
		cmocka_unit_test(rst_after_their_fin_is_epipe),
		cmocka_unit_test(syn_in_window_is_challenged),
		cmocka_unit_test(ack_of_the_future_is_challenged),
		cmocka_unit_test(paws_drops_old_duplicates),
		cmocka_unit_test(delayed_ack),
		cmocka_unit_test(answer_carries_the_ack),
		cmocka_unit_test(quick_acks_first),
		cmocka_unit_test(out_of_order_is_sacked_at_once),
		cmocka_unit_test(duplicates_are_reported),
		cmocka_unit_test(fin_out_of_order),
		cmocka_unit_test(overlap_is_trimmed),
		cmocka_unit_test(beyond_the_window_is_cut),
		cmocka_unit_test(small_window_updates_wait),
		cmocka_unit_test(fin_into_a_closed_window),
		cmocka_unit_test(nagle),
		cmocka_unit_test(held_by_the_device),
		cmocka_unit_test(nodelay),
		cmocka_unit_test(cork),
		cmocka_unit_test(cork_has_a_ceiling),
		cmocka_unit_test(close_uncorks),
		cmocka_unit_test(fast_retransmit),
		cmocka_unit_test(newreno_partial_ack),
		cmocka_unit_test(window_update_is_no_duplicate),
		cmocka_unit_test(sack_shows_the_hole),
		cmocka_unit_test(rack_waits_for_reordering),
		cmocka_unit_test(tail_loss_probe),
		cmocka_unit_test(tail_loss_probe_sends_new_data),
		cmocka_unit_test(retransmission_backs_off),
		cmocka_unit_test(user_timeout),
		cmocka_unit_test(zero_window_probe),
		cmocka_unit_test(silly_window),
		cmocka_unit_test(window_shrinks),
		cmocka_unit_test(keepalive),
		cmocka_unit_test(keepalive_is_answered),
		cmocka_unit_test(close_with_unread_data_resets),
		cmocka_unit_test(data_after_close_is_reset),
		cmocka_unit_test(orphan_fin_wait2_ends),
		cmocka_unit_test(half_closed_receives),
		cmocka_unit_test(abort_resets),
		cmocka_unit_test(fin_is_retransmitted),
		cmocka_unit_test(ecn_negotiation),
		cmocka_unit_test(ecn_refused),
		cmocka_unit_test(ecn_accepted),
		cmocka_unit_test(urgent_out),
		cmocka_unit_test(urgent_in),
		cmocka_unit_test(path_mtu),
		cmocka_unit_test(time_wait_repeats_the_ack),
		cmocka_unit_test(time_wait_reset),
		cmocka_unit_test(time_wait_new_syn),
		cmocka_unit_test(time_wait_new_syn_by_timestamp),
		cmocka_unit_test(shutdown_before_established),
		cmocka_unit_test(data_with_synack),
		cmocka_unit_test(large_mss),
		cmocka_unit_test(one_byte_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

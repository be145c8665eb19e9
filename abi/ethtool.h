#pragma once

/* SIOCETHTOOL: <linux/ethtool.h>. */

#include <stdint.h>

enum {
	ETHTOOL_GSET = 1,
	ETHTOOL_GDRVINFO = 3,
	ETHTOOL_GLINK = 10,
	ETHTOOL_GRXCSUM = 0x14,
	ETHTOOL_GTXCSUM = 0x16,
	ETHTOOL_GSG = 0x18,
	ETHTOOL_GSTRINGS = 0x1b,
	ETHTOOL_GSTATS = 0x1d,
	ETHTOOL_GTSO = 0x1e,
	ETHTOOL_GPERMADDR = 0x20,
	ETHTOOL_GGSO = 0x23,
	ETHTOOL_GFLAGS = 0x25,
	ETHTOOL_GGRO = 0x2b,
	ETHTOOL_GSSET_INFO = 0x37,
	ETHTOOL_GFEATURES = 0x3a,
	ETHTOOL_GCHANNELS = 0x3c,
	ETHTOOL_GLINKSETTINGS = 0x4c,

	ETH_GSTRING_LEN = 32,
	ETH_SS_STATS = 1,
	ETH_SS_FEATURES = 4,

	SPEED_UNKNOWN = -1,
	DUPLEX_FULL = 1,
	DUPLEX_UNKNOWN = 0xff,
	PORT_OTHER = 0xff,
};

struct abi_ethtool_value {
	uint32_t cmd, data;
};

struct abi_ethtool_drvinfo {
	uint32_t cmd;
	char driver[32], version[32], fw_version[32], bus_info[32], erom_version[32], reserved2[12];
	uint32_t n_priv_flags, n_stats, testinfo_len, eedump_len, regdump_len;
};
_Static_assert(sizeof(struct abi_ethtool_drvinfo) == 196, "");

struct abi_ethtool_link_settings {
	uint32_t cmd, speed;
	uint8_t duplex, port, phy_address, autoneg, mdio_support, eth_tp_mdix, eth_tp_mdix_ctrl;
	int8_t link_mode_masks_nwords;
	uint8_t transceiver, master_slave_cfg, master_slave_state, rate_matching;
	uint32_t reserved[7];
};
_Static_assert(sizeof(struct abi_ethtool_link_settings) == 48, "");

struct abi_ethtool_channels {
	uint32_t cmd, max_rx, max_tx, max_other, max_combined, rx_count, tx_count, other_count,
		combined_count;
};

struct abi_ethtool_sset_info {
	uint32_t cmd, reserved;
	uint64_t sset_mask;
};

struct abi_ethtool_gstrings {
	uint32_t cmd, string_set, len;
};

struct abi_ethtool_gfeatures {
	uint32_t cmd, size;
};

struct abi_ethtool_get_features_block {
	uint32_t available, requested, active, never_changed;
};

struct abi_ethtool_stats {
	uint32_t cmd, n_stats;
};

struct abi_ethtool_perm_addr {
	uint32_t cmd, size;
};

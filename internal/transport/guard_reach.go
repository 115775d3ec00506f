package transport

import (
	"encoding/binary"
	"net/netip"
)

// A reach says from where an address can be reached.
type reach uint8

const (
	// reachNone: nobody has business there: link-local, multicast, reserved,
	// documentation, cloud metadata.
	reachNone reach = iota
	// reachPrivate: this host and networks like it.
	reachPrivate
	// reachPublic: the internet.
	reachPublic
)

// reachOf classifies addr by the IANA special-purpose address registries, more
// strictly where a range is of no use to a server. An IPv6 address that stands
// for an IPv4 address is what the latter is.
func reachOf(addr netip.Addr) reach {
	if addr = addr.Unmap(); addr.Is4() {
		return reachOf4(addr.As4())
	}
	return reachOf6(addr.As16())
}

func reachOf4(b [4]byte) reach {
	switch ip := binary.BigEndian.Uint32(b[:]); {
	case b[0] == 10, ip>>20 == 0xac1, b[0] == 192 && b[1] == 168, b[0] == 127:
		return reachPrivate // RFC 1918, loopback
	case b[0] == 0, // "this network"
		ip>>22 == 100<<2|1,             // 100.64.0.0/10: shared address space; 100.100.100.200 is Alibaba's metadata
		b[0] == 169 && b[1] == 254,     // link-local; 169.254.169.254 is everybody's metadata
		ip>>8 == 0xc00000,              // 192.0.0.0/24: protocol assignments; 192.0.0.192 is Oracle's metadata
		ip>>8 == 0xc00002,              // 192.0.2.0/24: documentation
		ip>>8 == 0xc01fc4,              // 192.31.196.0/24: AS112
		ip>>8 == 0xc034c1,              // 192.52.193.0/24: AMT
		ip>>8 == 0xc05863,              // 192.88.99.0/24: 6to4 relay anycast
		ip>>8 == 0xc0af30,              // 192.175.48.0/24: AS112
		b[0] == 198 && b[1]&0xfe == 18, // 198.18.0.0/15: benchmarking
		ip>>8 == 0xc63364,              // 198.51.100.0/24: documentation
		ip>>8 == 0xcb0071,              // 203.0.113.0/24: documentation
		ip == 0xa83f8110,               // 168.63.129.16: Azure's host
		b[0] >= 224:                    // multicast, reserved, broadcast
		return reachNone
	}
	return reachPublic
}

func reachOf6(b [16]byte) reach {
	high, low := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	switch {
	case high == 0 && low == 1:
		return reachPrivate // ::1
	case high>>32 == 0xfd000ec2, high == 0xfd20_00ce_0000_0000 && low == 0x254:
		return reachNone // metadata of Amazon and Google
	case high>>57 == 0xfc>>1:
		return reachPrivate // fc00::/7: unique local
	case high == 0x0064_ff9b_0000_0000 && low>>32 == 0:
		return reachOf4([4]byte(b[12:])) // 64:ff9b::/96: NAT64
	case high>>61 != 1:
		// Outside 2000::/3, the only range from which global unicast
		// addresses are given out: unspecified, IPv4-compatible and
		// -translated, local NAT64 (64:ff9b:1::/48), discard, link-local,
		// site-local, multicast, segment routing.
		return reachNone
	case high>>41 == 0x2001_0000>>9, // 2001::/23: protocol assignments, Teredo among them
		high>>32 == 0x2001_0db8,      // documentation
		high>>44 == 0x3fff0,          // documentation
		high>>16 == 0x2620_004f_8000: // AS112
		return reachNone
	case high>>48 == 0x2002:
		return reachOf4([4]byte(b[2:6])) // 6to4
	case low>>32&^0x0200_0000 == 0x5efe:
		return reachOf4([4]byte(b[12:])) // ISATAP, under any prefix
	}
	return reachPublic
}

/* SPDX-License-Identifier: MIT */
/* Where webhooks may go, by tables. */
#include "unit.h"
#include <string.h>
#include "base/cleanup.h"
#include "net/address.h"
#include "net/allow.h"

static struct tend_address parse(const char *text)
{
	struct tend_address address;

	if (address_parse(text, &address) < 0)
		fail_msg("'%s' is no address", text);
	return address;
}

static void test_classes(void **state)
{
	static const struct {
		const char *address;
		enum address_class class;
	} rows[] = {
		{"1.1.1.1", ADDRESS_PUBLIC}, {"8.8.8.8", ADDRESS_PUBLIC},
		{"9.255.255.255", ADDRESS_PUBLIC}, {"10.0.0.0", ADDRESS_PRIVATE},
		{"10.255.255.255", ADDRESS_PRIVATE}, {"11.0.0.0", ADDRESS_PUBLIC},
		{"100.63.255.255", ADDRESS_PUBLIC}, {"100.64.0.1", ADDRESS_PRIVATE},
		{"100.127.255.255", ADDRESS_PRIVATE}, {"100.128.0.0", ADDRESS_PUBLIC},
		{"100.100.100.200", ADDRESS_METADATA}, {"127.0.0.1", ADDRESS_LOOPBACK},
		{"127.255.255.254", ADDRESS_LOOPBACK}, {"0.0.0.0", ADDRESS_RESERVED},
		{"169.254.1.1", ADDRESS_LINK_LOCAL}, {"169.254.169.254", ADDRESS_METADATA},
		{"169.254.170.2", ADDRESS_METADATA}, {"168.63.129.16", ADDRESS_METADATA},
		{"172.15.255.255", ADDRESS_PUBLIC}, {"172.16.0.1", ADDRESS_PRIVATE},
		{"172.31.255.255", ADDRESS_PRIVATE}, {"172.32.0.0", ADDRESS_PUBLIC},
		{"192.168.1.1", ADDRESS_PRIVATE}, {"192.169.0.0", ADDRESS_PUBLIC},
		{"192.0.0.192", ADDRESS_METADATA}, {"192.0.2.1", ADDRESS_RESERVED},
		{"198.19.255.255", ADDRESS_RESERVED}, {"224.0.0.1", ADDRESS_MULTICAST},
		{"239.255.255.255", ADDRESS_MULTICAST}, {"240.0.0.1", ADDRESS_RESERVED},
		{"255.255.255.255", ADDRESS_RESERVED}, {"2606:4700:4700::1111", ADDRESS_PUBLIC},
		{"::", ADDRESS_RESERVED}, {"::1", ADDRESS_LOOPBACK},
		{"fe80::1", ADDRESS_LINK_LOCAL}, {"febf::1", ADDRESS_LINK_LOCAL},
		{"fc00::1", ADDRESS_PRIVATE}, {"fdff::1", ADDRESS_PRIVATE},
		{"fd00:ec2::254", ADDRESS_METADATA}, {"fd20:ce::254", ADDRESS_METADATA},
		{"fec0::1", ADDRESS_PRIVATE}, {"ff02::1", ADDRESS_MULTICAST},
		{"2001:db8::1", ADDRESS_RESERVED}, {"2001::1", ADDRESS_RESERVED}, /* Teredo */
		/* what carries an IPv4 address */
		{"::ffff:127.0.0.1", ADDRESS_LOOPBACK}, {"::ffff:10.1.2.3", ADDRESS_PRIVATE},
		{"::ffff:169.254.169.254", ADDRESS_METADATA}, {"::ffff:1.1.1.1", ADDRESS_PUBLIC},
		{"::ffff:0:127.0.0.1", ADDRESS_LOOPBACK}, {"::127.0.0.1", ADDRESS_LOOPBACK},
		{"::10.0.0.1", ADDRESS_PRIVATE}, {"64:ff9b::7f00:1", ADDRESS_LOOPBACK},
		{"64:ff9b::a9fe:a9fe", ADDRESS_METADATA}, {"64:ff9b::101:101", ADDRESS_PUBLIC},
		{"64:ff9b:1::1", ADDRESS_PRIVATE}, {"2002:7f00:1::", ADDRESS_LOOPBACK},
		{"2002:c0a8:101::1", ADDRESS_PRIVATE}, {"2002:101:101::1", ADDRESS_PUBLIC},
		{"2606:4700::5efe:10.0.0.1", ADDRESS_PRIVATE},	     /* ISATAP */
		{"2606:4700::200:5efe:127.0.0.1", ADDRESS_LOOPBACK}, /* the same, "unique" */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tend_address address = parse(rows[i].address);
		enum address_class class = address_class_of(&address);

		if (class != rows[i].class)
			fail_msg("%s is %s, not %s", rows[i].address,
				address_class_names[rows[i].class], address_class_names[class]);
	}
}

static void test_nets(void **state)
{
	static const struct {
		const char *net, *address;
		bool has;
	} rows[] = {
		{"10.0.0.0/8", "10.255.0.1", true},
		{"10.0.0.0/8", "11.0.0.1", false},
		{"10.0.0.0/8", "::ffff:10.0.0.1", true},
		{"10.0.0.0/8", "64:ff9b::a00:1", true},
		{"10.0.0.0/8", "a00::", false},
		{"192.0.2.7", "192.0.2.7", true},
		{"192.0.2.7", "192.0.2.8", false},
		{"0.0.0.0/0", "8.8.8.8", true},
		{"0.0.0.0/0", "2606:4700::1", false},
		{"::/0", "2606:4700::1", true},
		{"172.16.0.0/12", "172.31.0.0", true},
		{"172.16.0.0/12", "172.32.0.0", false},
		{"2001:db8::/33", "2001:db8:7fff::1", true},
		{"2001:db8::/33", "2001:db8:8000::1", false},
		{"fd00::/8", "fd12::1", true},
	};
	static const char *const bad[] = {"", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/",
		"10.0.0.0/x", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8/8", "example.org", "::/129",
		"::1/64", "fe80::1%lo", "10.0.0", "999.1.1.1"};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct tend_address address = parse(rows[i].address);
		struct address_net net;

		assert_int_equal(address_net_parse(rows[i].net, &net), 0);
		if (address_net_has(&net, &address) != rows[i].has)
			fail_msg("%s in %s?", rows[i].address, rows[i].net);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct address_net net;

		if (address_net_parse(bad[i], &net) != -EINVAL)
			fail_msg("'%s' was taken", bad[i]);
	}
}

static void test_guard(void **state)
{
	static const struct {
		const char *list, *address;
		bool is_literal, listed_only, allowed;
	} rows[] = {
		/* a name */
		{NULL, "1.1.1.1", false, false, true},
		{NULL, "127.0.0.1", false, false, false},
		{NULL, "10.0.0.1", false, false, false},
		{NULL, "169.254.169.254", false, false, false},
		{NULL, "::ffff:169.254.169.254", false, false, false},
		{NULL, "224.0.0.1", false, false, false},
		{"10.0.0.0/8", "10.0.0.1", false, false, true},
		{"10.0.0.0/8", "192.168.0.1", false, false, false},
		{"127.0.0.1", "127.0.0.1", false, false, true},
		{"169.254.169.254", "169.254.169.254", false, false, true},
		/* an address is consent for itself, but for metadata */
		{NULL, "127.0.0.1", true, false, true},
		{NULL, "10.0.0.1", true, false, true},
		{NULL, "fe80::1", true, false, true},
		{NULL, "169.254.169.254", true, false, false},
		{NULL, "fd00:ec2::254", true, false, false},
		{"fd00:ec2::254", "fd00:ec2::254", true, false, true},
		/* in the clear: loopback that was written, and what is listed */
		{NULL, "127.0.0.1", true, true, true},
		{NULL, "::1", true, true, true},
		{NULL, "127.0.0.1", false, true, false},
		{NULL, "1.1.1.1", true, true, false},
		{NULL, "10.0.0.1", true, true, false},
		{"10.0.0.0/8", "10.0.0.1", true, true, true},
		{"10.0.0.0/8", "10.0.0.1", false, true, true},
		{"10.0.0.0/8", "1.1.1.1", false, true, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char copy[64], refusal[ADDRESS_REFUSAL_BYTES] = "";
		char *list[] = {rows[i].list ? copy : NULL, NULL};
		char *const *const lists[] = {NULL, list};
		struct tend_address address = parse(rows[i].address);
		const struct address_guard guard = {.lists = lists,
			.n_lists = ARRAY_SIZE(lists),
			.is_literal = rows[i].is_literal,
			.listed_only = rows[i].listed_only};

		(void)snprintf(copy, sizeof(copy), "%s", rows[i].list ? rows[i].list : "");
		if (address_is_allowed(&guard, &address, refusal) != rows[i].allowed)
			fail_msg("row %zu: %s: %s", i, rows[i].address, refusal);
		assert_true(rows[i].allowed == (refusal[0] == '\0'));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_nets),
		cmocka_unit_test(test_guard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

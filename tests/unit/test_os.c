/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/core/cgroup.h"
#include "host/core/checked.h"
#include "host/core/os.h"

static char folder[256];

static int setup(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/quern-os-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    char command[300];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static const char *in_folder(const char *name)
{
    static char path[4][600];
    static int turn;
    turn = (turn + 1) % 4;
    (void)snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static void put(const char *name, const char *text)
{
    char path[600];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    for (char *at = path + strlen(folder) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        (void)mkdir(path, 0755);
        *at = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    (void)fclose(file);
}

static void holds(const char *name, const char *text)
{
    char bytes[256] = "";
    FILE *file = fopen(in_folder(name), "r");
    assert_non_null(file);
    size_t n = fread(bytes, 1, sizeof bytes - 1, file);
    (void)fclose(file);
    bytes[n] = '\0';
    assert_string_equal(bytes, text);
}

/* How many names the folder has. */
static int entries(void)
{
    char command[300], line[32] = "";
    (void)snprintf(command, sizeof command, "ls -A %s | wc -l", folder);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_non_null(fgets(line, sizeof line, pipe));
    (void)pclose(pipe);
    return atoi(line);
}

/* ---- control groups ---- */

struct limit_file {
    const char *path, *text;
};

static const struct {
    const char *name;
    struct limit_file files[8];
    uint32_t cpus;
    uint64_t memory;
} trees[] = {
    {"no groups at all", {{NULL, NULL}}, 0, UINT64_MAX},
    {"version 2, no limits",
     {{"proc/self/cgroup", "0::/user/app\n"},
      {"sys/fs/cgroup/user/app/cpu.max", "max 100000\n"},
      {"sys/fs/cgroup/user/app/memory.max", "max\n"}},
     0,
     UINT64_MAX},
    {"version 2, own quota rounded up",
     {{"proc/self/cgroup", "0::/user/app\n"},
      {"sys/fs/cgroup/user/app/cpu.max", "150000 100000\n"},
      {"sys/fs/cgroup/user/app/memory.max", "1048576\n"}},
     2,
     1048576},
    {"version 2, the parent is tighter",
     {{"proc/self/cgroup", "0::/user/app\n"},
      {"sys/fs/cgroup/user/app/cpu.max", "800000 100000\n"},
      {"sys/fs/cgroup/user/cpu.max", "300000 100000\n"},
      {"sys/fs/cgroup/user/memory.max", "4096\n"},
      {"sys/fs/cgroup/user/app/memory.max", "max\n"}},
     3,
     4096},
    {"version 2 in a container: the mount point is the group",
     {{"proc/self/cgroup", "0::/\n"},
      {"sys/fs/cgroup/cpu.max", "50000 100000\n"},
      {"sys/fs/cgroup/memory.max", "777\n"}},
     1,
     777},
    {"version 2, a path that only the host sees",
     {{"proc/self/cgroup", "0::/docker/0123\n"}, {"sys/fs/cgroup/cpu.max", "400000 100000\n"}},
     4,
     UINT64_MAX},
    {"version 1, joint controllers",
     {{"proc/self/cgroup", "4:memory:/a\n3:cpu,cpuacct:/a/b\n2:cpuset:/\n0::/\n"},
      {"sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "250000\n"},
      {"sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n"},
      {"sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1\n"},
      {"sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n"},
      {"sys/fs/cgroup/memory/a/memory.limit_in_bytes", "65536\n"}},
     3,
     65536},
    {"version 1, no limit is a huge number",
     {{"proc/self/cgroup", "4:memory:/\n1:cpu:/x\n"},
      {"sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "-1\n"},
      {"sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n"},
      {"sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"}},
     0,
     9223372036854771712u},
    {"both versions at once",
     {{"proc/self/cgroup", "1:cpu:/x\n0::/y\n"},
      {"sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "500000\n"},
      {"sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n"},
      {"sys/fs/cgroup/unified/y/cpu.max", "200000 100000\n"}},
     2,
     UINT64_MAX},
    {"nonsense",
     {{"proc/self/cgroup", "hello\n::\n0:\n:::::\n7:cpu\n0::relative\n"},
      {"sys/fs/cgroup/cpu.max", "0 0\n"},
      {"sys/fs/cgroup/memory.max", "-\n"}},
     0,
     UINT64_MAX},
    {"cpuset is not cpu",
     {{"proc/self/cgroup", "3:cpuset,cpuacct:/\n"},
      {"sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n"},
      {"sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"}},
     0,
     UINT64_MAX},
};

static void group_limits_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof trees / sizeof trees[0]; i++) {
        struct qn_cgroup_limits limits;
        assert_int_equal(setup(NULL), 0);
        for (size_t f = 0; f < 8 && trees[i].files[f].path != NULL; f++)
            put(trees[i].files[f].path, trees[i].files[f].text);
        qn_cgroup_read(folder, &limits);
        if (limits.cpus != trees[i].cpus || limits.memory != trees[i].memory)
            fail_msg("%s: %u CPUs, %llu bytes", trees[i].name, limits.cpus,
                     (unsigned long long)limits.memory);
        assert_int_equal(teardown(NULL), 0);
    }
}

static void the_machine_has_something(void **state)
{
    (void)state;
    assert_in_range(qn_cpu_count(), 1, 1 << 20);
    assert_true(qn_memory_total() > 1 << 20);
    uint64_t a = qn_clock_ns(), b = qn_clock_ns();
    assert_true(b >= a && a > 0);
}

/* ---- files ---- */

static void a_file_is_mapped_whole(void **state)
{
    struct qn_mapping map;
    (void)state;
    put("x", "hello");
    assert_int_equal(qn_map_file(in_folder("x"), &map), QUERN_OK);
    assert_int_equal(map.size, 5);
    assert_memory_equal(map.data, "hello", 5);
    qn_map_forget(&map, 0, 5);
    qn_map_forget(&map, 99, SIZE_MAX);
    assert_memory_equal(map.data, "hello", 5); /* forgotten pages come back from the file */
    qn_unmap_file(&map);
    assert_null(map.data);
    put("empty", "");
    assert_int_equal(qn_map_file(in_folder("empty"), &map), QUERN_OK);
    assert_null(map.data);
    assert_int_equal(map.size, 0);
    qn_map_forget(&map, 0, 1);
    qn_unmap_file(&map);
}

static void what_is_no_file_is_refused_at_once(void **state)
{
    struct qn_mapping map;
    (void)state;
    assert_int_equal(qn_map_file(in_folder("absent"), &map), QUERN_IO);
    assert_non_null(strstr(qn_error_text(), "No such file"));
    assert_int_equal(qn_map_file(folder, &map), QUERN_IO);
    assert_non_null(strstr(qn_error_text(), "is a directory"));
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
    (void)alarm(10); /* opening a FIFO that nobody writes to would wait for ever */
    assert_int_equal(qn_map_file(in_folder("fifo"), &map), QUERN_UNSUPPORTED);
    (void)alarm(0);
    struct qn_outfile *out;
    assert_int_equal(qn_outfile_open(in_folder("fifo"), &out), QUERN_IO);
    assert_int_equal(qn_outfile_open(folder, &out), QUERN_IO);
    assert_int_equal(qn_outfile_open(in_folder("no/such/place"), &out), QUERN_IO);
    assert_null(out);
}

static void output_appears_when_complete(void **state)
{
    struct qn_outfile *out;
    (void)state;
    assert_int_equal(qn_outfile_open(in_folder("f"), &out), QUERN_OK);
    assert_int_equal(qn_outfile_write(out, "new ", 4), QUERN_OK);
    assert_int_equal(access(in_folder("f"), F_OK), -1);
    assert_int_equal(qn_outfile_write(out, "text", 4), QUERN_OK);
    assert_int_equal(qn_outfile_seek(out, 0), QUERN_OK);
    assert_int_equal(qn_outfile_write(out, "N", 1), QUERN_OK);
    assert_int_equal(qn_outfile_commit(out), QUERN_OK);
    holds("f", "New text");
    assert_int_equal(entries(), 1);
}

static void discarded_output_leaves_nothing(void **state)
{
    struct qn_outfile *out;
    (void)state;
    put("f", "old");
    assert_int_equal(qn_outfile_open(in_folder("f"), &out), QUERN_OK);
    assert_int_equal(qn_outfile_write(out, "new", 3), QUERN_OK);
    qn_outfile_discard(out);
    qn_outfile_discard(NULL);
    holds("f", "old");
    assert_int_equal(entries(), 1);
    for (uint64_t k = 1; k <= 4; k++) {
        (void)qn_alloc_fail_at(k);
        quern_status status = qn_outfile_open(in_folder("g"), &out);
        (void)qn_alloc_fail_at(0);
        assert_true(k < 4 ? status == QUERN_OUT_OF_MEMORY : status == QUERN_OK);
        if (status == QUERN_OK) qn_outfile_discard(out);
    }
    assert_int_equal(entries(), 1);
}

static void permissions_are_kept_or_follow_the_umask(void **state)
{
    struct qn_outfile *out;
    struct stat st;
    mode_t mask = umask(027);
    (void)state;
    assert_int_equal(qn_outfile_open(in_folder("fresh"), &out), QUERN_OK);
    assert_int_equal(qn_outfile_commit(out), QUERN_OK);
    assert_int_equal(stat(in_folder("fresh"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    put("kept", "x");
    assert_int_equal(chmod(in_folder("kept"), 0604), 0);
    assert_int_equal(qn_outfile_open(in_folder("kept"), &out), QUERN_OK);
    assert_int_equal(qn_outfile_commit(out), QUERN_OK);
    assert_int_equal(stat(in_folder("kept"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0604);
    (void)umask(mask);
}

static void a_link_stays_a_link(void **state)
{
    struct qn_outfile *out;
    struct stat st;
    (void)state;
    put("target", "old");
    assert_int_equal(symlink("target", in_folder("link")), 0);
    assert_int_equal(qn_outfile_open(in_folder("link"), &out), QUERN_OK);
    assert_int_equal(qn_outfile_write(out, "new", 3), QUERN_OK);
    assert_int_equal(qn_outfile_commit(out), QUERN_OK);
    assert_int_equal(lstat(in_folder("link"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    holds("target", "new");
}

static void two_writers_do_not_meet(void **state)
{
    struct qn_outfile *a, *b;
    (void)state;
    assert_int_equal(qn_outfile_open(in_folder("f"), &a), QUERN_OK);
    assert_int_equal(qn_outfile_open(in_folder("f"), &b), QUERN_OK);
    assert_int_equal(qn_outfile_write(a, "aaaa", 4), QUERN_OK);
    assert_int_equal(qn_outfile_write(b, "bb", 2), QUERN_OK);
    assert_int_equal(qn_outfile_commit(a), QUERN_OK);
    holds("f", "aaaa");
    assert_int_equal(qn_outfile_commit(b), QUERN_OK);
    holds("f", "bb");
}

/* ---- the rest ---- */

static void a_missing_library_says_why(void **state)
{
    const char *why = NULL;
    (void)state;
    assert_null(qn_library_open("libquern-is-not-there.so.1", &why));
    assert_non_null(strstr(why, "libquern-is-not-there.so.1"));
    assert_null(qn_library_open("libquern-is-not-there.so.1", NULL));
    void *libm = qn_library_open("libm.so.6", &why);
    assert_non_null(libm);
    assert_non_null(qn_library_symbol(libm, "cos"));
    assert_null(qn_library_symbol(libm, "quern_cos"));
}

static void an_empty_variable_is_unset(void **state)
{
    (void)state;
    (void)setenv("QUERN_TEST_VARIABLE", "", 1);
    assert_null(qn_env("QUERN_TEST_VARIABLE"));
    (void)setenv("QUERN_TEST_VARIABLE", "x", 1);
    assert_string_equal(qn_env("QUERN_TEST_VARIABLE"), "x");
    (void)unsetenv("QUERN_TEST_VARIABLE");
    assert_null(qn_env("QUERN_TEST_VARIABLE"));
}

static void pages_are_zero(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 5000, (size_t)8 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *pages = qn_pages_alloc(sizes[i]);
        assert_non_null(pages);
        for (size_t b = 0; b < sizes[i]; b += 997) assert_int_equal(pages[b], 0);
        qn_pages_free(pages, sizes[i]);
    }
    qn_pages_free(NULL, 10);
    assert_null(qn_pages_alloc(SIZE_MAX / 2));
}

/* A hint about memory that is not on page boundaries changes nothing in it or around it. */
static void advice_leaves_memory_as_it_is(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 4097, (size_t)6 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *memory = malloc(sizes[i] + 8);
        assert_non_null(memory);
        memset(memory, 0x5a, sizes[i] + 8);
        qn_pages_advise(memory + 3, sizes[i]);
        for (size_t b = 0; b < sizes[i] + 8; b++) assert_int_equal(memory[b], 0x5a);
        free(memory);
    }
    qn_pages_advise(NULL, 0);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(group_limits_are_found),
        cmocka_unit_test(the_machine_has_something),
        IN_FOLDER(a_file_is_mapped_whole),
        IN_FOLDER(what_is_no_file_is_refused_at_once),
        IN_FOLDER(output_appears_when_complete),
        IN_FOLDER(discarded_output_leaves_nothing),
        IN_FOLDER(permissions_are_kept_or_follow_the_umask),
        IN_FOLDER(a_link_stays_a_link),
        IN_FOLDER(two_writers_do_not_meet),
        cmocka_unit_test(a_missing_library_says_why),
        cmocka_unit_test(an_empty_variable_is_unset),
        cmocka_unit_test(pages_are_zero),
        cmocka_unit_test(advice_leaves_memory_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

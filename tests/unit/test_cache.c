/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/core/checked.h"
#include "host/device/cache.h"

static char folder[256], directory[300];

static int setup(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/quern-cache-XXXXXX");
    if (mkdtemp(folder) == NULL) return -1;
    (void)snprintf(directory, sizeof directory, "%s/a/b", folder);
    return 0;
}

static int teardown(void **state)
{
    char command[400];
    (void)state;
    (void)snprintf(command, sizeof command, "chmod -R u+rwx %s; rm -rf %s", folder, folder);
    return system(command);
}

static int holds(const char *key, const char *image, size_t size)
{
    void *got;
    size_t n;
    int hit = qn_cache_read(directory, key, &got, &n);
    int same = hit && n == size && memcmp(got, image, n) == 0;
    assert_true(!hit || same); /* wrong bytes are never returned */
    assert_true(hit || got == NULL);
    qn_free(got);
    return same;
}

/* The one cache file's path. */
static void only_file(char path[600])
{
    int n = 0;
    DIR *d = opendir(directory);
    assert_non_null(d);
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        if (e->d_name[0] == '.') continue;
        (void)snprintf(path, 600, "%s/%s", directory, e->d_name);
        n++;
    }
    (void)closedir(d);
    assert_int_equal(n, 1);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    assert_false(holds("k", "image", 5));
    qn_cache_write(directory, "k", "image", 5, QN_CACHE_CAP);
    assert_true(holds("k", "image", 5));
    assert_false(holds("k2", "image", 5));
    qn_cache_write(directory, "k", "other one", 9, QN_CACHE_CAP);
    assert_true(holds("k", "other one", 9));
    qn_cache_drop(directory, "k");
    assert_false(holds("k", "other one", 9));
}

static void directories_are_private(void **state)
{
    struct stat st;
    (void)state;
    qn_cache_write(directory, "k", "image", 5, QN_CACHE_CAP);
    assert_int_equal(stat(directory, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    char path[600];
    only_file(path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_directory_others_can_write_is_not_used(void **state)
{
    static const mode_t modes[] = {0770, 0702, 0777};
    (void)state;
    qn_cache_write(directory, "k", "image", 5, QN_CACHE_CAP);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        assert_int_equal(chmod(directory, modes[i]), 0);
        assert_false(holds("k", "image", 5));
        qn_cache_write(directory, "new", "image", 5, QN_CACHE_CAP);
        assert_int_equal(chmod(directory, 0700), 0);
        assert_false(holds("new", "image", 5));
        assert_true(holds("k", "image", 5));
    }
}

static void a_link_in_its_place_is_not_followed(void **state)
{
    char target[600];
    (void)state;
    qn_cache_write(directory, "k", "image", 5, QN_CACHE_CAP);
    (void)snprintf(target, sizeof target, "%s/real", folder);
    assert_int_equal(rename(directory, target), 0);
    assert_int_equal(symlink(target, directory), 0);
    assert_false(holds("k", "image", 5));
}

static void any_changed_byte_is_a_miss(void **state)
{
    char path[600], byte;
    (void)state;
    qn_cache_write(directory, "the key", "the image", 9, QN_CACHE_CAP);
    only_file(path);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    for (off_t i = 0; i < st.st_size; i++) {
        int fd = open(path, O_RDWR);
        assert_int_equal(pread(fd, &byte, 1, i), 1);
        byte = (char)(byte ^ 0x10);
        assert_int_equal(pwrite(fd, &byte, 1, i), 1);
        (void)close(fd);
        assert_false(holds("the key", "the image", 9));
        assert_int_equal(access(path, F_OK), -1); /* and is gone */
        qn_cache_write(directory, "the key", "the image", 9, QN_CACHE_CAP);
    }
    for (off_t n = 0; n < st.st_size; n++) {
        assert_int_equal(truncate(path, n), 0);
        assert_false(holds("the key", "the image", 9));
        qn_cache_write(directory, "the key", "the image", 9, QN_CACHE_CAP);
    }
    int fd = open(path, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "x", 1), 1);
    (void)close(fd);
    assert_false(holds("the key", "the image", 9));
}

static void a_file_of_another_key_is_a_miss(void **state)
{
    char mine[600], path[600];
    (void)state;
    qn_cache_write(directory, "key A", "image A", 7, QN_CACHE_CAP);
    only_file(mine);
    (void)snprintf(path, sizeof path, "%s.kept", mine);
    assert_int_equal(rename(mine, path), 0);
    qn_cache_write(directory, "key B", "image B", 7, QN_CACHE_CAP);
    qn_cache_drop(directory, "key B"); /* only to learn nothing is left in the way */
    assert_int_equal(rename(path, mine), 0);
    assert_true(holds("key A", "image A", 7));
    /* The same file under the name of another key, as a collision of hashes would have it. */
    char other[600];
    qn_cache_write(directory, "key B", "image B", 7, QN_CACHE_CAP);
    DIR *d = opendir(directory);
    other[0] = '\0';
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        (void)snprintf(path, sizeof path, "%s/%s", directory, e->d_name);
        if (e->d_name[0] != '.' && strcmp(path, mine) != 0) memcpy(other, path, sizeof path);
    }
    (void)closedir(d);
    assert_int_equal(rename(mine, other), 0);
    assert_false(holds("key B", "image B", 7));
}

static void the_least_recently_used_go_first(void **state)
{
    char key[8], image[1000];
    (void)state;
    memset(image, 7, sizeof image);
    for (int i = 0; i < 8; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        qn_cache_write(directory, key, image, sizeof image, QN_CACHE_CAP);
        (void)usleep(2000);
    }
    assert_true(holds("k0", image, sizeof image)); /* used now */
    (void)usleep(2000);
    qn_cache_write(directory, "k8", image, sizeof image, 4500);
    assert_true(holds("k0", image, sizeof image));
    assert_true(holds("k8", image, sizeof image));
    assert_true(holds("k7", image, sizeof image));
    assert_false(holds("k1", image, sizeof image));
    assert_false(holds("k4", image, sizeof image));
}

static void abandoned_files_are_swept(void **state)
{
    char old[600], young[600];
    struct timespec times[2] = {{.tv_sec = 1000000}, {.tv_sec = 1000000}};
    (void)state;
    qn_cache_write(directory, "k", "image", 5, QN_CACHE_CAP);
    (void)snprintf(old, sizeof old, "%s/1-2-3.tmp", directory);
    (void)snprintf(young, sizeof young, "%s/1-2-4.tmp", directory);
    (void)close(open(old, O_CREAT | O_WRONLY, 0600));
    (void)close(open(young, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(utimensat(AT_FDCWD, old, times, 0), 0);
    qn_cache_write(directory, "k2", "image", 5, QN_CACHE_CAP);
    assert_int_equal(access(old, F_OK), -1);
    assert_int_equal(access(young, F_OK), 0);
}

static void trouble_is_silent(void **state)
{
    void *image;
    size_t size;
    (void)state;
    qn_cache_write("/proc/quern", "k", "image", 5, QN_CACHE_CAP);
    assert_false(qn_cache_read("/proc/quern", "k", &image, &size));
    qn_cache_write(directory, "k", "", 0, QN_CACHE_CAP);
    assert_false(qn_cache_read(directory, "k", &image, &size));
    qn_cache_write(directory, "k", "image", 5, QN_CACHE_CAP);
    (void)qn_alloc_fail_at(1);
    assert_false(qn_cache_read(directory, "k", &image, &size));
    (void)qn_alloc_fail_at(1);
    qn_cache_write(directory, "k3", "image", 5, QN_CACHE_CAP);
    (void)qn_alloc_fail_at(0);
    qn_cache_drop("/proc/quern", "k");
}

static void processes_may_write_at_once(void **state)
{
    enum { CHILDREN = 4, ROUNDS = 40 };
    pid_t children[CHILDREN];
    (void)state;
    for (int c = 0; c < CHILDREN; c++) {
        children[c] = fork();
        if (children[c] == 0) {
            for (int i = 0; i < ROUNDS; i++) {
                void *image;
                size_t size;
                char text[4096];
                memset(text, 'a' + c, sizeof text);
                qn_cache_write(directory, "shared", text, sizeof text, QN_CACHE_CAP);
                if (!qn_cache_read(directory, "shared", &image, &size)) _exit(1);
                const char *bytes = image;
                for (size_t b = 1; b < size; b++)
                    if (bytes[b] != bytes[0]) _exit(2);
                qn_free(image);
            }
            _exit(0);
        }
    }
    for (int c = 0; c < CHILDREN; c++) {
        int result;
        assert_int_equal(waitpid(children[c], &result, 0), children[c]);
        assert_int_equal(result, 0);
    }
}

static void the_place_follows_the_environment(void **state)
{
    static const struct {
        const char *given, *own, *xdg, *home, *expected;
    } table[] = {
        {"/x", "/y", "/z", "/h", "/x"},
        {"off", "/y", "/z", "/h", NULL},
        {NULL, "/y", "/z", "/h", "/y"},
        {NULL, "off", "/z", "/h", NULL},
        {NULL, NULL, "/z", "/h", "/z/quern"},
        {NULL, NULL, "relative", "/h", "/h/.cache/quern"},
        {NULL, NULL, NULL, "/h", "/h/.cache/quern"},
        {NULL, NULL, NULL, NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const char *const names[] = {"QUERN_CACHE_DIR", "XDG_CACHE_HOME", "HOME"};
        const char *const values[] = {table[i].own, table[i].xdg, table[i].home};
        for (int n = 0; n < 3; n++) {
            (void)unsetenv(names[n]);
            if (values[n] != NULL) (void)setenv(names[n], values[n], 1);
        }
        char *path = qn_cache_directory(table[i].given);
        if (table[i].expected == NULL)
            assert_null(path);
        else
            assert_string_equal(path, table[i].expected);
        qn_free(path);
    }
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(what_is_written_is_read),
        IN_FOLDER(directories_are_private),
        IN_FOLDER(a_directory_others_can_write_is_not_used),
        IN_FOLDER(a_link_in_its_place_is_not_followed),
        IN_FOLDER(any_changed_byte_is_a_miss),
        IN_FOLDER(a_file_of_another_key_is_a_miss),
        IN_FOLDER(the_least_recently_used_go_first),
        IN_FOLDER(abandoned_files_are_swept),
        IN_FOLDER(trouble_is_silent),
        IN_FOLDER(processes_may_write_at_once),
        cmocka_unit_test(the_place_follows_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

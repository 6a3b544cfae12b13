# ferry. `make` builds build/ferry; the other targets are listed at .PHONY.
#
#   CC=gcc|clang            compiler
#   MYSQL=mariadb|mysqlclient   client library: MariaDB's (default) or Oracle's
#   SANITIZE=address,undefined  a build with sanitizers, in a folder of its own (also: thread)
#   V=1                     show the commands
#   WERROR=1                warnings are errors
#   FAULTS=1                a build that tests can kill at named steps: build/faults/ferry

ifeq ($(origin CC),default)
CC := gcc
endif
CLANG ?= clang
MYSQL ?= mariadb
SANITIZE ?=
FUZZ_SECONDS ?= 30
Q := $(if $(V),,@)
PREFIX ?= /usr/local

PKGS := $(if $(filter mysqlclient,$(MYSQL)),mysqlclient,libmariadb) \
        libzstd libcrypto jansson zlib libxxhash libcurl expat
ROOMS := cli migrate check verify dumper loader follower formats \
         common/target common/schema common/store common/mysql common/base

VARIANT := $(if $(FAULTS),faults,$(if $(findstring fuzzer,$(SANITIZE)),fuzz,$(if $(findstring thread,$(SANITIZE)),tsan,$\
           $(if $(SANITIZE),asan,release))))
B := build/$(VARIANT)
BIN := $(if $(filter release,$(VARIANT)),build/ferry,$(B)/ferry)
LIB := $(B)/libferry.a

STD := -std=c11 -D_XOPEN_SOURCE=700
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
        -Wmissing-prototypes -Wold-style-definition -Wvla -Wwrite-strings -Wcast-qual \
        -Wpointer-arith -Wundef -Wredundant-decls -Wformat=2 -Wnull-dereference -Wswitch-enum
GCC_WARN := -Wformat-signedness -Wduplicated-cond -Wduplicated-branches -Wlogical-op
CLANG_WARN := -Wmissing-variable-declarations -Wthread-safety -Wcomma -Wunreachable-code
HARD := -fno-common -fstack-protector-strong -fPIE
SAN := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer

IS_CLANG := $(findstring clang,$(shell $(CC) --version))
# Libraries' headers are the system's: our warnings are for our code.
PKG_CFLAGS := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PKGS)))
CPPFLAGS_ALL := $(STD) -I. -include common/base/banned.h $(PKG_CFLAGS) \
                $(if $(SANITIZE),,-D_FORTIFY_SOURCE=2) $(if $(FAULTS),-DFERRY_FAULTS) $(CPPFLAGS)
CFLAGS ?= -O2 -g
CFLAGS_ALL := $(CFLAGS) $(WARN) $(if $(IS_CLANG),$(CLANG_WARN),$(GCC_WARN)) $(HARD) \
              $(if $(WERROR),-Werror) $(if $(SANITIZE),$(SAN))
LDFLAGS_ALL := -pie -Wl,-z,relro,-z,now $(if $(SANITIZE),$(SAN)) $(LDFLAGS)
LIBS := $(shell pkg-config --libs $(PKGS)) -lpthread -lm

SRC := $(foreach room,$(ROOMS),$(wildcard $(room)/*.c))
OBJ := $(patsubst %.c,$(B)/%.o,$(filter-out cli/main.c,$(SRC)))
TESTS := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/*_test.c))
TEST_HELP := $(patsubst %.c,$(B)/%.o,$(filter-out %_test.c,$(wildcard tests/unit/*.c)))
TOOLS := $(patsubst tests/tools/%.c,$(B)/tools/%,$(wildcard tests/tools/*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))

.PHONY: all lib tools unit-build unit test soak lint lint-selftest asan tsan format fuzz fuzz-run demo bench install \
        dev setup clean
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BIN)
lib: $(LIB)

$(BIN): $(B)/cli/main.o $(LIB)
	$(if $(V),,@echo '  LINK $@')
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

$(LIB): $(OBJ)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(if $(V),,@echo '  CC   $@')
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# Changes when compiler or flags do, and so makes everything anew.
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL)' | cmp -s - $@ || \
	    echo '$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL)' > $@
.PHONY: FORCE
FORCE:

$(B)/tests/%: $(B)/tests/unit/%.o $(TEST_HELP) $(LIB)
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LINK $@')
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(shell pkg-config --libs cmocka) $(LIBS)

$(B)/fuzz/%: $(B)/tests/fuzz/%.o $(LIB)
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LINK $@')
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $^ $(LIBS)

# Programs that tests and benches run.
$(B)/tools/%: $(B)/tests/tools/%.o $(LIB)
	@mkdir -p $(@D)
	$(if $(V),,@echo '  LINK $@')
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

tools: $(TOOLS)
unit-build: $(TESTS) $(TOOLS)
unit: $(TESTS) $(TOOLS)
	@tests/unit/run $(TESTS)

ifndef FAULTS
build/faults/ferry: FORCE
	+$(MAKE) FAULTS=1 $@ build/faults/tools/apply_binlog
endif

# The packages come first, then a second make that finds them.
setup:
	@tests/setup
test:
	@tests/setup servers
	+$(MAKE) all unit build/faults/ferry
	FERRY=$(BIN) tests/run --jobs=3
# SOAK_SECONDS: how long the random workload runs for each pair of servers (an hour: 3600).
SOAK_SECONDS ?= 300
soak: all
	+$(MAKE) build/faults/ferry
	FERRY=$(BIN) FERRY_SOAK_SECONDS=$(SOAK_SECONDS) tests/run --soak
asan:
	+$(MAKE) CC=$(CLANG) SANITIZE=address,undefined all unit
	+$(MAKE) build/faults/ferry
	FERRY=build/asan/ferry tests/run --jobs=3 --quick
tsan:
	+$(MAKE) CC=$(CLANG) SANITIZE=thread all unit
	+$(MAKE) build/faults/ferry
	FERRY=build/tsan/ferry tests/run --jobs=3 --quick
fuzz:
	+$(MAKE) CC=$(CLANG) SANITIZE=fuzzer-no-link,address fuzz-run
fuzz-run: $(FUZZERS)
	@tests/fuzz/run $(FUZZ_SECONDS) $(B)/corpus $(FUZZERS)
demo: setup
	+$(MAKE) all
	demo/run
bench: all tools
	tests/bench/run
lint: $(LIB)
	@tests/lint/run --cflags '$(CPPFLAGS_ALL)' --objects $(B) $(GATES)
lint-selftest:
	@tests/lint/selftest
format:
	git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format -i
dev:
	+$(MAKE) WERROR=1 all unit
install: $(BIN)
	install -D -m 755 $(BIN) $(DESTDIR)$(PREFIX)/bin/ferry
	@mkdir -p $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	$(BIN) help man > $(DESTDIR)$(PREFIX)/share/man/man1/ferry.1
	for c in $$($(BIN) --help | sed -n 's/^  \([a-z]*\) .*/\1/p' | grep -vx help); do \
	    $(BIN) help man $$c > $(DESTDIR)$(PREFIX)/share/man/man1/ferry-$$c.1 || exit 1; done
	$(BIN) help completion > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/ferry
clean:
	rm -rf build

-include $(shell find $(B) -name '*.d' 2>/dev/null)

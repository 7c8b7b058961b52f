# resnetd: `make help` lists the targets; V=1 shows the commands; BUILD=folder builds somewhere else.
BUILD  ?= build
CC     ?= cc
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
PORT   ?= 8080
JOBS   ?= $(shell nproc)
FUZZ_SECONDS ?= 30
SOAK_SECONDS ?= 300
N      ?= 1000000

VERSION := $(shell sed -n 's/^\#define RN_VERSION "\(.*\)"/\1/p' include/resnet.h)
MACHINE := $(shell $(CC) -dumpmachine 2>/dev/null || uname -m)
Q       := $(if $(V),,@)
say      = $(if $(V),,@printf '  %-4s %s\n' $(1) $(2))

# ---- flags ---------------------------------------------------------------------------------------
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes \
  -Wmissing-prototypes -Wvla -Wundef -Wformat=2 -Wcast-qual -Wwrite-strings -Wdouble-promotion \
  -Wimplicit-fallthrough
# FORTIFY=, SANITIZE= and WERROR= are for the targets below that build in folders of their own.
FORTIFY  ?= -D_FORTIFY_SOURCE=2
ALL_CFLAGS = -std=c17 -D_GNU_SOURCE $(WARN) $(WERROR) -fno-common -fstack-protector-strong -fPIE \
  -pthread -Iinclude $(CFLAGS) $(FORTIFY) $(SANITIZE)
ALL_LDFLAGS = -pie -pthread -Wl,-z,relro,-z,now,--as-needed $(SANITIZE) $(LDFLAGS)
CORE_LIBS   := -lopenblas -ljansson -lnettle -lprotobuf-c -lm
SERVER_LIBS := -lmicrohttpd -lz -ljpeg -lspng
TEST_LIBS    = $(shell pkg-config --libs check) -lz

# ---- sources -------------------------------------------------------------------------------------
foreign    := $(if $(findstring x86_64,$(MACHINE)),,core/kernels/x86/%) \
              $(if $(findstring aarch64,$(MACHINE)),,core/kernels/arm64/%)
core_src   := $(filter-out $(foreign),$(wildcard core/*.c core/*/*.c core/*/*/*.c))
server_src := $(filter-out server/main.c,$(wildcard server/*.c server/*/*.c server/*.S))
suites     := unit kernels golden http
helper_src := $(filter-out %_test.c %_bench.c,$(wildcard $(suites:%=tests/%/*.c) tests/bench/*.c))
benches    := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bench/*_bench.c))
object      = $(patsubst %,$(BUILD)/%,$(patsubst %.c,%.o,$(patsubst %.S,%.S.o,$(1))))
programs    = $(patsubst %.c,$(BUILD)/%,$(foreach s,$(1),$(wildcard tests/$(s)/*_test.c)))
scripts    := $(wildcard $(addprefix tests/,layers.sh cli.sh connections.sh deploy.sh install.sh protocols.sh))
archives   := $(BUILD)/server.a $(BUILD)/libresnet.a
daemon     := $(if $(wildcard server/main.c),$(BUILD)/resnetd)

all: $(BUILD)/libresnet.a $(daemon) ## build build/resnetd and build/libresnet.a (default)
	@:

$(BUILD)/core/%:   INCLUDE = -Icore
$(BUILD)/server/%: INCLUDE = -Iserver
$(BUILD)/tests/%:  INCLUDE = -Icore -Iserver -Itests -I$(BUILD)/gen
$(BUILD)/core/kernels/%: OPT = $(if $(SANITIZE),,-O3)
$(BUILD)/core/kernels/x86/%_avx2.o:   ISA = -mavx2 -mfma -mf16c
$(BUILD)/core/kernels/x86/%_avx512.o: ISA = -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma
$(BUILD)/server/builtin.S.o: $(wildcard deploy/models/*/* deploy/models/*.json server/api/*.json)

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(OPT) $(ISA) $(INCLUDE) -MMD -MP -c $< -o $@

$(BUILD)/%.S.o: %.S Makefile
	@mkdir -p $(@D)
	$(call say,AS,$<)
	$(Q)$(CC) -MMD -MP -c $< -o $@

# libprotobuf-c's code for the messages of an ONNX file
$(BUILD)/gen/onnx.pb-c.c $(BUILD)/gen/onnx.pb-c.h &: core/formats/onnx.proto
	@mkdir -p $(@D)
	$(call say,GEN,$<)
	$(Q)protoc-c --c_out=$(BUILD)/gen --proto_path=core/formats $<
$(BUILD)/gen/onnx.pb-c.o: $(BUILD)/gen/onnx.pb-c.c
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -Wno-cast-qual -I$(BUILD)/gen -c $< -o $@
$(call object,$(wildcard core/formats/onnx*.c)): INCLUDE = -Icore -I$(BUILD)/gen
$(call object,$(wildcard core/formats/onnx*.c tests/*/onnx*.c)): $(BUILD)/gen/onnx.pb-c.h

$(BUILD)/libresnet.a: $(call object,$(core_src)) $(BUILD)/gen/onnx.pb-c.o
$(BUILD)/server.a: $(call object,$(server_src))
$(BUILD)/tests/helpers.a: $(call object,$(helper_src))
$(BUILD)/%.a:
	@mkdir -p $(@D)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/resnetd: $(BUILD)/server/main.o $(archives)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(CORE_LIBS) $(SERVER_LIBS) -o $@

$(call programs,$(suites)) $(benches): $(BUILD)/tests/%: $(BUILD)/tests/%.o $(BUILD)/tests/helpers.a $(archives)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(CORE_LIBS) $(SERVER_LIBS) $(TEST_LIBS) -o $@

$(BUILD)/tests/bench/json/simdjson.o: tests/bench/json/simdjson.cc Makefile
	@mkdir -p $(@D)
	$(call say,CXX,$<)
	$(Q)$(CXX) -std=c++17 -O3 -DNDEBUG -c $< -o $@
$(BUILD)/tests/bench/json/json: $(addprefix $(BUILD)/tests/bench/json/,json.o simdjson.o) $(archives)
	$(call say,LD,$@)
	$(Q)$(CXX) $(ALL_LDFLAGS) $^ $(CORE_LIBS) $(SERVER_LIBS) -lsimdjson -o $@

# The shim stands before the C library in another process: no sanitizer, and no checks of sizes, in it.
$(BUILD)/tests/fault/shim.so: tests/fault/shim.c tests/fault/control.h tests/fault/calls.def Makefile
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) -std=c17 -D_GNU_SOURCE $(WARN) $(WERROR) -fPIC -shared -pthread -O2 -g $< -o $@
$(BUILD)/tests/fault/fault: $(call object,$(filter-out %/shim.c,$(wildcard tests/fault/*.c))) \
  $(BUILD)/tests/helpers.a $(BUILD)/tests/fault/shim.so
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) $(filter %.o %.a,$^) -lz -o $@

$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(archives)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer $^ $(CORE_LIBS) $(SERVER_LIBS) -o $@

# ---- run and test --------------------------------------------------------------------------------
run: deps-run ## install what is missing, build, and serve the built-in models on port 8080
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@exec $(BUILD)/resnetd serve --port $(PORT)

test: deps-test ## install what is missing, build, and run every test
	@$(MAKE) --no-print-directory -j$(JOBS) all tests
	@BUILD=$(BUILD) tests/run.sh $(call programs,$(suites)) $(scripts)

tests: $(call programs,$(suites))
	@:
unit: $(call programs,unit kernels) ## run the unit and kernel tests
	@BUILD=$(BUILD) tests/run.sh $^
golden: $(call programs,golden) ## compare whole networks with PyTorch's answers
	@BUILD=$(BUILD) tests/run.sh $^
http: all $(call programs,http) ## run the tests that talk to a real daemon
	@BUILD=$(BUILD) tests/run.sh $(call programs,http)

sanitized = +$(MAKE) --no-print-directory BUILD=build-$(1) CFLAGS='-O1 -g -fno-omit-frame-pointer' \
  FORTIFY= SANITIZE='$(sanitize_$(1))'
sanitize_asan := -fsanitize=address,undefined -fno-sanitize-recover=all
sanitize_tsan := -fsanitize=thread
asan: ## run the suites under AddressSanitizer and UndefinedBehaviorSanitizer, in build-asan
	@$(call sanitized,asan) suites
tsan: ## run the suites under ThreadSanitizer, in build-tsan
	@$(call sanitized,tsan) suites
built-%: # what .ci/nightly runs of a sanitizer's folder
	@$(call sanitized,$*) all tests build-$*/tests/bench/soak_bench
hostile: ## send N=1000000 hostile bodies to a daemon under AddressSanitizer, in build-asan
	@$(call sanitized,asan) send-hostile
send-hostile: all $(BUILD)/tests/http/bodies_test
	@RESNETD=$(BUILD)/resnetd HOSTILE_BODIES=$(N) $(BUILD)/tests/http/bodies_test
# Slow ones are shortened: 20,000 random numbers, a share of the convolutions that has every
# implementation and edge, not all images of the test set.
suites: all tests
	@BUILD=$(BUILD) NUMBER_CASES=20000 LOAD_ROUNDS=5 CONV_SHARE=4 \
	  tests/run.sh $(filter-out %/fashion_test,$(call programs,$(suites)))

arm64: ## build the kernel tests for arm64 and run them under qemu-user
	@tests/arm64.sh

fuzz: ## fuzz each target for FUZZ_SECONDS=30, from tests/fuzz/corpus
	@tests/fuzz.sh $(FUZZ_SECONDS)
fault: all $(BUILD)/tests/fault/fault ## fail each call of a start and of 55 kinds of requests (FAULT="--sample 3")
	@RESNETD=$(BUILD)/resnetd $(BUILD)/tests/fault/fault $(FAULT)
bench: all $(benches) ## time the built-in models, layer by layer, and the daemon under load
	@tests/bench.sh
bench-http: all $(benches) ## what the daemon adds to the engine: latency and throughput by clients
	@deploy/deps.sh reference
	@BUILD=$(BUILD) tests/bench_http.sh
soak: all $(BUILD)/tests/bench/soak_bench ## for SOAK_SECONDS=300 ask twice what the daemon can do, in all forms
	@RESNETD=$(BUILD)/resnetd SOAK_SECONDS=$(SOAK_SECONDS) $(BUILD)/tests/bench/soak_bench
bench-json: ## an image as JSON to floats: jansson, simdjson and resnetd in turn
	@deploy/deps.sh build bench-json
	@$(MAKE) --no-print-directory $(BUILD)/tests/bench/json/json
	@$(BUILD)/tests/bench/json/json
bench-peers: all ## resnetd beside ONNX Runtime and oneDNN, in turn in one run (PEERS="--nets resnet34")
	@BUILD=$(BUILD) tests/bench_peers.sh $(PEERS)
bench-load: all ## from start to first answer, in each format, beside PyTorch and ONNX Runtime
	@BUILD=$(BUILD) tests/bench_peers.sh --load $(LOAD)
test-reference: all ## make full-size networks with PyTorch and compare the answers
	@deploy/deps.sh reference
	@BUILD=$(BUILD) tests/reference/run.sh

nightly: ## what takes too long for every change: nothing shortened, fuzzers, soaks, hostile bodies
	@.ci/nightly

# ---- habits --------------------------------------------------------------------------------------
lint: ## warnings as errors with gcc and clang, clang-tidy, cppcheck, clang-format, shellcheck
	@deploy/deps.sh lint
	@tests/lint.sh
format: ## lay out all C files with clang-format
	$(Q)git ls-files '*.[ch]' | xargs clang-format -i
layers: ## check that no include arrow points the wrong way
	@tests/layers.sh
docker: ## build the image, run it, and ask it for an answer
	@tests/docker.sh

deps: deps-run deps-test ## install the Debian packages that `make run` and `make test` need
deps-run:
	@deploy/deps.sh build run
deps-test:
	@deploy/deps.sh build test

install: all ## install into PREFIX=/usr/local, below DESTDIR
	$(Q)DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' VERSION='$(VERSION)' BUILD='$(BUILD)' \
	  LIBS='$(CORE_LIBS)' deploy/install.sh

clean: ## remove everything that was built
	$(Q)rm -rf build build-*
help: ## print this
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

.PHONY: all run test tests unit golden http asan tsan suites hostile send-hostile nightly arm64 fault fuzz bench bench-http bench-json bench-load bench-peers soak test-reference lint format \
  layers docker deps deps-run deps-test install clean help
.SECONDARY:
.DELETE_ON_ERROR:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

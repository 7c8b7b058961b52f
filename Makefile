# resnetd: `make help` lists the targets. V=1 shows the commands.
BUILD  ?= build
CC     ?= cc
CFLAGS ?= -O2 -g
MODE   ?=

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes \
  -Wmissing-prototypes -Wvla -Wundef -Wformat=2 -Wcast-qual -Wwrite-strings -Wdouble-promotion \
  -Wimplicit-fallthrough
HARDEN := -fno-common -fstack-protector-strong -fPIE
ALL_CFLAGS = -std=c17 -D_GNU_SOURCE $(WARN) $(HARDEN) -pthread -Iinclude $(CFLAGS) $(MODE)

core_src   := $(wildcard core/*.c core/base/*.c core/formats/*.c core/arch/*.c core/graph/*.c \
                core/plan/*.c core/kernels/*.c core/kernels/ref/*.c core/run/*.c)
core_obj   := $(core_src:%.c=$(BUILD)/%.o)
unit_test  := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/*_test.c tests/kernels/*_test.c))
CORE_LIBS  := -lopenblas -ljansson -lnettle -lm

Q := $(if $(V),,@)

all: $(BUILD)/libresnet.a
$(BUILD)/libresnet.a: $(core_obj)
	@echo '  AR   $@'
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/core/%.o: core/%.c
	@mkdir -p $(@D); echo '  CC   $<'
	$(Q)$(CC) $(ALL_CFLAGS) -Icore -MMD -MP -c $< -o $@

$(BUILD)/tests/%_test: tests/%_test.c $(BUILD)/libresnet.a
	@mkdir -p $(@D); echo '  LD   $@'
	$(Q)$(CC) $(ALL_CFLAGS) -Icore -Itests -MMD -MP $< -o $@ $(BUILD)/libresnet.a \
	  $$(pkg-config --cflags --libs check) $(CORE_LIBS)

unit: $(unit_test)
	@set -e; for t in $(unit_test); do $$t; done

clean:
	rm -rf $(BUILD)
.PHONY: all unit clean
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

/* Where in a checkpoint the network is, which of several is taken, and its head. */
#include "check_main.h"

#include <stdio.h>
#include <string.h>

#include "fake_net.h"

static const fake_resnet small = {.stages = 4, .blocks = {1, 1, 1, 1}, .width = 8};

/* Puts the prefix in front of every name, but those of the head when `head` is given another. */
static void wrap(fake_net *net, const char *prefix, const char *head)
{
    for (size_t i = 0; i < net->tensors.count; i++) {
        char old[96], name[256];
        snprintf(old, sizeof old, "%.90s", net->tensors.tensor[i].name);
        if (head && strncmp(old, "fc.", 3) == 0)
            snprintf(name, sizeof name, "%s%s", head, old + 2);
        else
            snprintf(name, sizeof name, "%s%s", prefix, old);
        fake_rename(net, old, name);
    }
}

static void add_block(fake_net *net, const char *prefix)
{
    char name[96];
    snprintf(name, sizeof name, "%slayer1.0.conv1.weight", prefix);
    fake_add(net, 8, 8, 3, 3, name);
}

static bool notes_say(const fake_net *net, const char *part)
{
    for (size_t i = 0; i < net->arch.notes; i++)
        if (strstr(net->arch.note[i], part)) return true;
    return false;
}

static const char *const prefixes[] = {
    "module.",
    "_orig_mod.",
    "model.",
    "net.",
    "backbone.",
    "encoder.",
    "encoder_q.",
    "base_encoder.",
    "visual.",
    "feature_extractor.",
    "body.",
    "timm_model.",
    "_backbone.",
    "resnet.",
    "state_dict.",
    "model_state_dict.module._orig_mod.",
    "ema_state_dict.",
    "generator.",
    "anything.of.7.my.own.",
    "1.",
};

START_TEST(finds_the_network_below_any_keys)
{
    fake_net net;
    fake_init(&net);
    fake_add_resnet(&net, &small);
    wrap(&net, prefixes[_i], NULL);
    fake_add(&net, 16, 64, 0, 0, "queue");
    fake_add(&net, 3, 4, 5, 0, "optimizer.state.0.exp_avg");
    ck_assert_msg(fake_build(&net, NULL, 0, 0) == RN_OK, "%s", net.err.text);
    ck_assert(notes_say(&net, "left over: 2 tensors outside (optimizer.state.0.exp_avg, queue)"));
    fake_release(&net);
}
END_TEST

/* The one that is taken of two: the averaged; else the one with more tensors. */
static const struct {
    const char *taken, *left, *config;
} pairs[] = {
    {"state_dict_ema.", "state_dict.", NULL},
    {"model_ema.module.", "model.", NULL},
    {"teacher.backbone.", "student.backbone.", NULL},
    {"swa.", "raw.", NULL},
    {"b.", "a.", NULL},
    {"state_dict.", "state_dict_ema.", "{\"weights\": \"state_dict\"}"},
    {"model.module.", "model_ema.module.", "{\"weights\": \"model\"}"},
    {"a.module.", "ema.", "{\"weights\": \"a.module\"}"},
};

START_TEST(takes_the_averaged_or_the_chosen)
{
    char says[80];
    fake_net net;
    fake_init(&net);
    fake_add_resnet(&net, &small);
    wrap(&net, pairs[_i].taken, NULL);
    add_block(&net, pairs[_i].left); /* incomplete: were it taken, it would be refused */
    ck_assert_msg(fake_build(&net, pairs[_i].config, 0, 0) == RN_OK, "%s", net.err.text);
    snprintf(says, sizeof says, "weights: %.*s of the file, one of several",
             (int)strlen(pairs[_i].taken) - 1, pairs[_i].taken);
    ck_assert_msg(notes_say(&net, says), "%s", says);
    fake_release(&net);
}
END_TEST

static void expect_refusal(fake_net *net, const char *config, const char *says)
{
    ck_assert_int_eq(fake_build(net, config, 0, 0), RN_ERR_FORMAT);
    ck_assert_msg(strstr(net->err.text, says), "'%s' not in '%s'", says, net->err.text);
    fake_release(net);
}

START_TEST(refuses_a_key_without_a_network)
{
    fake_net net;
    fake_init(&net);
    fake_add_resnet(&net, &small);
    wrap(&net, "model.", NULL);
    expect_refusal(&net, "{\"weights\": \"ema\"}", "weights: no network under ema; one is under");
    fake_init(&net);
    fake_add_resnet(&net, &small);
    expect_refusal(&net, "{\"weights\": 7}", "config.json: weights: want the keys");
}
END_TEST

/* What is left over inside is no other net's: it changes the answer. */
START_TEST(refuses_what_is_left_over_inside)
{
    fake_net net;
    fake_init(&net);
    fake_add_resnet(&net, &small);
    wrap(&net, "model.", NULL);
    fake_add(&net, 8, 8, 1, 1, "model.layer1.0.extra.weight");
    expect_refusal(&net, NULL, "model.layer1.0.extra.weight (8x8x1x1): no layer");
    fake_init(&net);
    fake_add_resnet(&net, &small);
    wrap(&net, "model.", NULL);
    fake_remove(&net, "model.layer2.0.conv2.weight");
    expect_refusal(&net, NULL, "layer2.0.conv2.weight: missing");
}
END_TEST

/* The fake tensors are zeros: as a mean they change nothing, as a deviation they do. */
START_TEST(refuses_a_normaliser_that_is_not_applied)
{
    static const char *const names[] = {"0.std", "pixel_std", "normalize.std", "a.0.std"};
    static const char *const nets[] = {"1.", "model.", "model.", "a.1."};
    fake_net net;
    fake_init(&net);
    fake_add_resnet(&net, &small);
    wrap(&net, nets[_i], NULL);
    fake_add(&net, 3, 0, 0, 0, names[_i]);
    expect_refusal(&net, NULL, "a normaliser in front");
}
END_TEST

START_TEST(takes_a_normaliser_that_changes_nothing)
{
    fake_net net;
    fake_init(&net);
    fake_add_resnet(&net, &small);
    wrap(&net, "1.", NULL);
    fake_add(&net, 1, 3, 1, 1, "0.mean");
    fake_add(&net, 3, 0, 0, 0, "other.loss.std");
    ck_assert_msg(fake_build(&net, NULL, 0, 0) == RN_OK, "%s", net.err.text);
    fake_release(&net);
}
END_TEST

static const struct {
    const char *prefix, *head, *says;
} heads[] = {
    {"", "last_linear", "head: last_linear (64 to 10)"},
    {"", "classifier", "head: classifier (64 to 10)"},
    {"", "head.fc", NULL}, /* timm's own naming */
    {"", "head", "head: head (64 to 10)"},
    {"", "fc.1", "head: fc.1 (64 to 10)"},
    {"backbone.", "head.fc", "head: head.fc (64 to 10)"},
    {"model.backbone.", "model.fc", "head: model.fc (64 to 10)"},
};

START_TEST(finds_the_head)
{
    fake_net net;
    fake_init(&net);
    fake_add_resnet(&net, &small);
    wrap(&net, heads[_i].prefix, heads[_i].head);
    ck_assert_msg(fake_build(&net, NULL, 0, 0) == RN_OK, "%s", net.err.text);
    if (heads[_i].says) ck_assert_msg(notes_say(&net, heads[_i].says), "%s", heads[_i].says);
    ck_assert_uint_eq(rn_graph_shape(&net.graph, net.graph.output[0].value).c, 10);
    fake_release(&net);
}
END_TEST

/* No head, one of another width beside it, and an encoder's projection: the features answer. */
START_TEST(answers_features_without_a_head)
{
    fake_net net;
    fake_init(&net);
    fake_add_resnet(&net, &small);
    wrap(&net, "encoder_q.", NULL);
    fake_remove(&net, "encoder_q.fc.bias");
    if (_i < 2) fake_remove(&net, "encoder_q.fc.weight");
    if (_i == 1) fake_add(&net, 5, 7, 0, 0, "classifier.weight");
    if (_i == 2) fake_rename(&net, "encoder_q.fc.weight", "encoder_q.fc.0.weight");
    ck_assert_msg(fake_build(&net, NULL, 0, 0) == RN_OK, "%s", net.err.text);
    ck_assert_uint_eq(rn_graph_shape(&net.graph, net.graph.output[0].value).c, 64);
    if (_i == 2) ck_assert(notes_say(&net, "left over: 1 tensors of the encoder's projection"));
    fake_release(&net);
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof(array)[0])

int main(void)
{
    Suite *suite = suite_create("subtree");
    TCase *tests = tcase_create("subtree");
    tcase_add_loop_test(tests, finds_the_network_below_any_keys, 0, COUNT(prefixes));
    tcase_add_loop_test(tests, takes_the_averaged_or_the_chosen, 0, COUNT(pairs));
    tcase_add_test(tests, refuses_a_key_without_a_network);
    tcase_add_test(tests, refuses_what_is_left_over_inside);
    tcase_add_loop_test(tests, refuses_a_normaliser_that_is_not_applied, 0, 4);
    tcase_add_test(tests, takes_a_normaliser_that_changes_nothing);
    tcase_add_loop_test(tests, finds_the_head, 0, COUNT(heads));
    tcase_add_loop_test(tests, answers_features_without_a_head, 0, 3);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

/* The list of CLIP's weights, once: names, shapes, places in the arena and how each starts. */
#include "vn_clip.h"

#include <math.h>
#include <string.h>

#include "../core/vn_parallel.h"
#include "../core/vn_philox.h"

typedef struct binder {
    vn_arena *arena;
    vn_tensor *next; /* NULL: no list wanted */
    char prefix[48];
    vn_start start;
    double scale;
} binder;

/* dims end at the first 0; a scalar has none */
static float *
take(binder *b, const char *name, int64_t d0, int64_t d1, int64_t d2, int64_t d3)
{
    int64_t dims[4] = {d0, d1, d2, d3}, count = 1;
    int rank = 0;
    while (rank < 4 && dims[rank] > 0)
        count *= dims[rank++];
    if (b->next != NULL) {
        vn_tensor *t = b->next++;
        snprintf(t->name, sizeof t->name, "%s%s", b->prefix, name);
        memcpy(t->dims, dims, sizeof dims);
        t->rank = rank;
        t->offset = (int64_t)(b->arena->used / sizeof(float));
        t->count = count;
        t->start = b->start;
        t->scale = (float)b->scale;
    }
    return vn_arena_floats(b->arena, count);
}

static binder *
starts(binder *b, vn_start start, double scale)
{
    b->start = start;
    b->scale = scale;
    return b;
}

/* OpenAI's code initialises the text tower; image blocks keep the defaults of PyTorch's modules. */
static void
bind_block(vn_block_weights *w, binder *b, const vn_tower_config *c, int64_t layer, int text)
{
    int64_t C = c->width, F = c->mlp;
    double width = (double)C, deep = pow(width, -0.5) * pow(2.0 * (double)c->layers, -0.5);
    vn_start start = text ? VN_NORMAL : VN_UNIFORM;
    snprintf(b->prefix, sizeof b->prefix, "%stransformer.resblocks.%d.", text ? "" : "visual.", (int)layer);
    w->in_weight = take(starts(b, start, text ? pow(width, -0.5) : sqrt(1.5 / width)), "attn.in_proj_weight", 3 * C, C,
                        0, 0);
    w->in_bias = take(starts(b, VN_CONSTANT, 0.0), "attn.in_proj_bias", 3 * C, 0, 0, 0);
    w->out_weight = take(starts(b, start, text ? deep : pow(width, -0.5)), "attn.out_proj.weight", C, C, 0, 0);
    w->out_bias = take(starts(b, VN_CONSTANT, 0.0), "attn.out_proj.bias", C, 0, 0, 0);
    w->ln_1_weight = take(starts(b, VN_CONSTANT, 1.0), "ln_1.weight", C, 0, 0, 0);
    w->ln_1_bias = take(starts(b, VN_CONSTANT, 0.0), "ln_1.bias", C, 0, 0, 0);
    w->fc_weight = take(starts(b, start, pow(text ? 2.0 * width : width, -0.5)), "mlp.c_fc.weight", F, C, 0, 0);
    w->fc_bias = take(starts(b, VN_UNIFORM, pow(width, -0.5)), "mlp.c_fc.bias", F, 0, 0, 0);
    w->proj_weight = take(starts(b, start, text ? deep : pow((double)F, -0.5)), "mlp.c_proj.weight", C, F, 0, 0);
    w->proj_bias = take(starts(b, VN_UNIFORM, pow((double)F, -0.5)), "mlp.c_proj.bias", C, 0, 0, 0);
    w->ln_2_weight = take(starts(b, VN_CONSTANT, 1.0), "ln_2.weight", C, 0, 0, 0);
    w->ln_2_bias = take(starts(b, VN_CONSTANT, 0.0), "ln_2.bias", C, 0, 0, 0);
    b->prefix[0] = 0;
}

int64_t
vn_clip_tensors(const vn_clip_config *config)
{
    return 14 + config->bias + 12 * (config->image.layers + config->text.layers);
}

void
vn_clip_bind(vn_clip_weights *w, vn_arena *arena, vn_tensor *list, const vn_clip_config *config)
{
    binder b = {arena, list, "", VN_CONSTANT, 0.0};
    int64_t C = config->image.width, D = config->text.width, E = config->embed, P = config->patch;
    int64_t G = config->image_size / P;
    double image = pow((double)C, -0.5), text = pow((double)D, -0.5);
    w->positional_embedding = take(starts(&b, VN_NORMAL, 0.01), "positional_embedding", config->context, D, 0, 0);
    w->text_projection = take(starts(&b, VN_NORMAL, text), "text_projection", D, E, 0, 0);
    w->logit_scale = take(starts(&b, VN_CONSTANT, log(1.0 / 0.07)), "logit_scale", 0, 0, 0, 0);
    w->class_embedding = take(starts(&b, VN_NORMAL, image), "visual.class_embedding", C, 0, 0, 0);
    w->image_positions = take(starts(&b, VN_NORMAL, image), "visual.positional_embedding", G * G + 1, C, 0, 0);
    w->proj = take(starts(&b, VN_NORMAL, image), "visual.proj", C, E, 0, 0);
    w->conv1 = take(starts(&b, VN_UNIFORM, pow(3.0 * (double)(P * P), -0.5)), "visual.conv1.weight", C, 3, P, P);
    w->ln_pre_weight = take(starts(&b, VN_CONSTANT, 1.0), "visual.ln_pre.weight", C, 0, 0, 0);
    w->ln_pre_bias = take(starts(&b, VN_CONSTANT, 0.0), "visual.ln_pre.bias", C, 0, 0, 0);
    for (int64_t l = 0; l < config->image.layers; l++)
        bind_block(&w->image[l], &b, &config->image, l, 0);
    w->ln_post_weight = take(starts(&b, VN_CONSTANT, 1.0), "visual.ln_post.weight", C, 0, 0, 0);
    w->ln_post_bias = take(starts(&b, VN_CONSTANT, 0.0), "visual.ln_post.bias", C, 0, 0, 0);
    for (int64_t l = 0; l < config->text.layers; l++)
        bind_block(&w->text[l], &b, &config->text, l, 1);
    w->token_embedding = take(starts(&b, VN_NORMAL, 0.02), "token_embedding.weight", config->vocab, D, 0, 0);
    w->ln_final_weight = take(starts(&b, VN_CONSTANT, 1.0), "ln_final.weight", D, 0, 0, 0);
    w->ln_final_bias = take(starts(&b, VN_CONSTANT, 0.0), "ln_final.bias", D, 0, 0, 0);
    w->logit_bias = NULL;
    if (config->bias)
        w->logit_bias = take(starts(&b, VN_CONSTANT, -10.0), "logit_bias", 0, 0, 0, 0); /* SigLIP's start */
}

enum { CHUNK = 4096 };

typedef struct job {
    float *out;
    const vn_tensor *tensor;
    uint64_t seed, row;
} job;

static double
uniform(uint32_t word)
{
    return ((double)word + 0.5) * (1.0 / 4294967296.0); /* in (0, 1) */
}

/* four elements a Philox block; two Box-Muller pairs */
static void
fill(void *arg, int64_t item, int worker)
{
    const job *j = arg;
    const vn_tensor *t = j->tensor;
    (void)worker;
    for (int64_t i = item * CHUNK; i < VN_MIN(t->count, (item + 1) * CHUNK); i += 4) {
        vn_philox4 r = vn_philox(j->seed, j->row, (uint32_t)(i / 4), VN_STREAM_WEIGHTS);
        for (int64_t k = 0; k < 4 && i + k < t->count; k++) {
            double u = uniform(r.x[k]), x = 1.0;
            if (t->start == VN_UNIFORM)
                x = 2.0 * u - 1.0;
            else if (t->start == VN_NORMAL) {
                double radius = sqrt(-2.0 * log(uniform(r.x[k & 2]))), angle = 6.283185307179586 * uniform(r.x[k | 1]);
                x = radius * (k & 1 ? sin(angle) : cos(angle));
            }
            j->out[i + k] = (float)(x * (double)t->scale);
        }
    }
}

void
vn_clip_start(float *weights, const vn_tensor *list, int64_t tensors, uint64_t seed)
{
    for (int64_t i = 0; i < tensors; i++) {
        job j = {weights + list[i].offset, &list[i], seed, (uint64_t)i};
        vn_parallel_for((list[i].count + CHUNK - 1) / CHUNK, fill, &j);
    }
}

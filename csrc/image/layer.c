/* Soft masks, and painting through them.
 *
 * grown(p) = some mask pixel within grow of p, along each axis; alpha(p) = round(255 mean of grown over the square of
 * 2 feather + 1 pixels around p), at least 1 where that mean is not 0. Squares are cut at the frame. */
#include <string.h>

#include "vn_paint.h"

vn_box
vn_box_grown(vn_box b, int64_t margin, int64_t H, int64_t W)
{
    int64_t top = VN_MAX(b.top - margin, 0), left = VN_MAX(b.left - margin, 0);
    int64_t bottom = VN_MIN(b.top + b.height + margin, H), right = VN_MIN(b.left + b.width + margin, W);
    return (vn_box){top, left, bottom - top, right - left};
}

vn_box
vn_box_union(vn_box a, vn_box b)
{
    if (a.height == 0 || a.width == 0)
        return b;
    if (b.height == 0 || b.width == 0)
        return a;
    int64_t top = VN_MIN(a.top, b.top), left = VN_MIN(a.left, b.left);
    int64_t bottom = VN_MAX(a.top + a.height, b.top + b.height), right = VN_MAX(a.left + a.width, b.left + b.width);
    return (vn_box){top, left, bottom - top, right - left};
}

VN_CLONES static int32_t
count_set(const uint8_t *line, int64_t n)
{
    int32_t count = 0;
    for (int64_t j = 0; j < n; j++)
        count += line[j] != 0;
    return count;
}

vn_mask
vn_mask_of(const uint8_t *at, int64_t stride, vn_box placed, int64_t H, int64_t W)
{
    vn_mask m = {.at = at, .stride = stride, .kind = -1, .group = -1, .use = 1};
    int64_t top = VN_MAX(-placed.top, 0), bottom = VN_MIN(placed.height, H - placed.top);
    int64_t left = VN_MAX(-placed.left, 0), right = VN_MIN(placed.width, W - placed.left);
    vn_box b = {bottom, right, top - 1, left - 1}; /* first and last row and column that hold something */
    for (int64_t i = top; i < bottom; i++) {
        const uint8_t *line = at + i * stride;
        int64_t count = right > left ? count_set(line + left, right - left) : 0;
        if (count == 0)
            continue;
        int64_t first = left, last = right - 1; /* not beyond what is in the box already */
        while (first < b.left && line[first] == 0)
            first++;
        while (last > b.width && line[last] == 0)
            last--;
        b = (vn_box){VN_MIN(b.top, i), VN_MIN(b.left, first), i, VN_MAX(b.width, last)};
        m.area += count;
    }
    if (m.area > 0) {
        m.at = at + b.top * stride + b.left;
        m.box = (vn_box){placed.top + b.top, placed.left + b.left, b.height - b.top + 1, b.width - b.left + 1};
    }
    return m;
}

/* out (h,w): sum of in over the 2 r + 1 pixels around each, along rows; outside counts 0. */
static void
sum_rows(uint16_t *out, const uint16_t *in, int64_t h, int64_t w, int64_t r)
{
    for (int64_t i = 0; i < h; i++) {
        const uint16_t *from = in + i * w;
        int32_t sum = 0;
        for (int64_t j = 0; j < VN_MIN(r, w); j++)
            sum += from[j];
        for (int64_t j = 0; j < w; j++) {
            sum += j + r < w ? from[j + r] : 0;
            sum -= j - r - 1 >= 0 ? from[j - r - 1] : 0;
            out[i * w + j] = (uint16_t)sum;
        }
    }
}

/* The same along columns. */
VN_CLONES static void
sum_columns(uint16_t *out, const uint16_t *in, int64_t h, int64_t w, int64_t r)
{
    memset(out, 0, (size_t)w * sizeof *out);
    for (int64_t i = 0; i < VN_MIN(r + 1, h); i++)
        for (int64_t j = 0; j < w; j++)
            out[j] = (uint16_t)(out[j] + in[i * w + j]);
    for (int64_t i = 1; i < h; i++) {
        uint16_t *to = out + i * w;
        memcpy(to, to - w, (size_t)w * sizeof *out);
        for (int64_t j = 0; i + r < h && j < w; j++)
            to[j] = (uint16_t)(to[j] + in[(i + r) * w + j]);
        for (int64_t j = 0; i - r - 1 >= 0 && j < w; j++)
            to[j] = (uint16_t)(to[j] - in[(i - r - 1) * w + j]);
    }
}

/* How many of the 2 r + 1 pixels around i are in [0, n). */
static int64_t
inside(int64_t i, int64_t r, int64_t n)
{
    return VN_MIN(i + r, n - 1) - VN_MAX(i - r, 0) + 1;
}

vn_layer
vn_layer_of(const vn_mask *mask, int64_t H, int64_t W, int64_t grow, int64_t feather, vn_arena *scratch)
{
    vn_layer layer = {vn_box_grown(mask->box, grow + feather, H, W), NULL};
    int64_t h = layer.box.height, w = layer.box.width;
    layer.alpha = vn_arena_take(scratch, (size_t)(h * w));
    size_t mark = scratch->used;
    uint16_t *a = vn_arena_take(scratch, (size_t)(h * w) * sizeof *a);
    uint16_t *b = vn_arena_take(scratch, (size_t)(h * w) * sizeof *b);
    memset(a, 0, (size_t)(h * w) * sizeof *a);
    for (int64_t i = 0; i < mask->box.height; i++)
        for (int64_t j = 0; j < mask->box.width; j++)
            a[(i + mask->box.top - layer.box.top) * w + j + mask->box.left - layer.box.left] =
                mask->at[i * mask->stride + j] != 0;
    if (grow > 0) {
        sum_rows(b, a, h, w, grow);
        sum_columns(a, b, h, w, grow);
        for (int64_t p = 0; p < h * w; p++)
            a[p] = a[p] != 0;
    }
    sum_rows(b, a, h, w, feather);
    sum_columns(a, b, h, w, feather);
    for (int64_t i = 0; i < h; i++)
        for (int64_t j = 0; j < w; j++) {
            int64_t all = inside(i + layer.box.top, feather, H) * inside(j + layer.box.left, feather, W);
            int64_t alpha = (255 * a[i * w + j] + all / 2) / all;
            layer.alpha[i * w + j] = (uint8_t)VN_MAX(alpha, a[i * w + j] != 0);
        }
    scratch->used = mark;
    return layer;
}

vn_layer
vn_layer_in(const vn_layer *layer, vn_box box, vn_arena *scratch)
{
    vn_box own = layer->box;
    vn_layer out = {box, vn_arena_take(scratch, (size_t)(box.height * box.width))};
    memset(out.alpha, 0, (size_t)(box.height * box.width));
    for (int64_t i = 0; i < own.height; i++)
        memcpy(out.alpha + (own.top - box.top + i) * box.width + own.left - box.left, layer->alpha + i * own.width,
               (size_t)own.width);
    return out;
}

vn_layer
vn_layer_all(int64_t H, int64_t W, vn_arena *scratch)
{
    vn_layer layer = {{0, 0, H, W}, vn_arena_take(scratch, (size_t)(H * W))};
    memset(layer.alpha, 255, (size_t)(H * W));
    return layer;
}

/* Pixels [j, end) of a row are painted with the same alpha. */
static inline int64_t
run_end(const uint8_t *alpha, int64_t j, int64_t n)
{
    const uint64_t eight = alpha[j] * 0x0101010101010101u;
    int64_t end = j + 1;
    uint64_t word;
    while (end + 8 <= n && (memcpy(&word, alpha + end, 8), word == eight))
        end += 8;
    while (end < n && alpha[end] == alpha[j])
        end++;
    return end;
}

static void
paint_row(uint8_t *to, uint8_t *region, const uint8_t *alpha, const uint8_t *from, int64_t n)
{
    for (int64_t j = 0, end; j < n; j = end) {
        int a = alpha[j];
        end = run_end(alpha, j, n);
        if (a == 0)
            continue;
        memset(region + j, 1, (size_t)(end - j));
        if (a == 255)
            memcpy(to + j * 3, from + j * 3, (size_t)(end - j) * 3);
        for (int64_t c = j * 3; a < 255 && c < end * 3; c++)
            to[c] = (uint8_t)((to[c] * (255 - a) + from[c] * a + 127) / 255);
    }
}

void
vn_paint(vn_canvas *canvas, const vn_layer *layer, const uint8_t *rgb)
{
    vn_box b = layer->box;
    for (int64_t i = 0; i < b.height; i++) {
        int64_t to = (b.top + i) * canvas->W + b.left, from = i * b.width;
        paint_row(canvas->rgb + to * 3, canvas->region + to, layer->alpha + from, rgb + from * 3, b.width);
    }
    canvas->touched = vn_box_union(canvas->touched, b);
}

void
vn_cut(uint8_t *out, vn_box box, const uint8_t *rgb, vn_box of)
{
    for (int64_t i = 0; i < box.height; i++)
        memcpy(out + i * box.width * 3, rgb + ((box.top - of.top + i) * of.width + box.left - of.left) * 3,
               (size_t)box.width * 3);
}

void
vn_canvas_copy(uint8_t *out, const vn_canvas *canvas, vn_box box)
{
    vn_cut(out, box, canvas->rgb, (vn_box){0, 0, canvas->H, canvas->W});
}

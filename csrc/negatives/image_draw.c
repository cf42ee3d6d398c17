/* Drives the image edits: every row and slot, on all threads, with up to ten further draws when a rule fails.
 *
 * A slot's result depends on its picture, objects and second picture, the earlier slots of its row, the seed and the
 * row's number alone. Slots are first drawn side by side; where one looks like an earlier slot of its row it goes on
 * drawing from where it stopped, row by row, which gives what drawing them one after the other would.
 *
 * Rules, over the region painted: its share of the frame; the mean of |new - old| over its pixels and channels; and
 * GNM's variation area: the share of its pixels whose standard deviation over the two pictures, mean of the channels,
 * is over 10, which is a sum of |new - old| over 60. Sahin et al., WACV 2024. */
#include "../vn_picture.h"

#include <stdlib.h>
#include <string.h>

#include "../core/vn_parallel.h"

enum { DRAWS = 11, STRONG = 60 }; /* one draw and ten more */

static const int64_t MILLION = 1000000;

#define VN_IMAGE(name, number) extern const vn_image_maker vn_image_##name;
#include "../vn_registry.def"

const vn_image_maker *
vn_image_listed(int i, uint32_t *stream)
{
    static const struct {
        const vn_image_maker *maker;
        uint32_t stream;
    } list[] = {
#define VN_IMAGE(name, number) {&vn_image_##name, number},
#include "../vn_registry.def"
    };
    if (i < 0 || i >= (int)(sizeof list / sizeof list[0]))
        return NULL;
    *stream = list[i].stream;
    return list[i].maker;
}

int
vn_photo_allows(const vn_photo *in, const vn_image_slot *slot, int64_t m)
{
    int64_t share = in->mask[m].area * MILLION, frame = in->H * in->W;
    return in->mask[m].use && in->mask[m].area > 0 && share >= slot->least * frame && share <= slot->most * frame;
}

int64_t
vn_photo_choices(const vn_photo *in, const vn_image_slot *slot, int64_t skip)
{
    int64_t n = 0;
    for (int64_t m = 0; m < in->masks; m++)
        n += m != skip && vn_photo_allows(in, slot, m);
    return n;
}

int64_t
vn_photo_pick(const vn_photo *in, const vn_image_slot *slot, int64_t skip, vn_rng *rng, vn_image_reason *why)
{
    int64_t n = vn_photo_choices(in, slot, skip), left = n > 0 ? vn_rng_below(rng, n) : 0;
    *why = VN_IMAGE_EMPTY;
    for (int64_t m = 0; m < in->masks; m++) {
        if (m == skip || !in->mask[m].use || in->mask[m].area == 0)
            continue;
        *why = VN_IMAGE_AREA;
        if (vn_photo_allows(in, slot, m) && left-- == 0)
            return m;
    }
    return -1;
}

size_t
vn_image_scratch(const vn_photo *photo, const vn_photo *other)
{
    enum { SIDE = 1024 }; /* a pixel of height and width: what a resize needs, also of a picture one pixel high */
    int64_t pixels = photo->H * photo->W, sides = photo->H + photo->W;
    if (other->rgb != NULL) {
        pixels += other->H * other->W;
        sides += other->H + other->W;
    }
    return (size_t)(pixels * VN_IMAGE_SCRATCH + sides * SIDE) + 65536; /* small takes are rounded up */
}

/* Adds up a row of n pixels. Outside the region nothing has changed, so it need not be asked. */
VN_CLONES static void
measure_row(int64_t total[3], const uint8_t *now, const uint8_t *was, const uint8_t *region, int64_t n)
{
    int32_t area = 0, sum = 0, strong = 0;
    for (int64_t j = 0; j < n; j++) {
        int change = 0;
        for (int c = 0; c < 3; c++)
            change += abs(now[j * 3 + c] - was[j * 3 + c]);
        area += region[j];
        sum += change;
        strong += change > STRONG;
    }
    total[0] += area;
    total[1] += sum;
    total[2] += strong;
}

static vn_image_reason
judge(const vn_canvas *canvas, const vn_photo *in, const vn_image_slot *slot)
{
    enum { PIECE = 1 << 20 }; /* sums of a piece of a row fit 32 bits */
    vn_box b = canvas->touched;
    int64_t total[3] = {0, 0, 0}, frame = in->H * in->W;
    for (int64_t i = b.top; i < b.top + b.height; i++)
        for (int64_t j = b.left; j < b.left + b.width; j += PIECE) {
            int64_t at = i * in->W + j;
            measure_row(total, canvas->rgb + at * 3, in->rgb + at * 3, canvas->region + at,
                        VN_MIN(b.left + b.width - j, (int64_t)PIECE));
        }
    int64_t area = total[0], sum = total[1], strong = total[2];
    if (area == 0)
        return VN_IMAGE_SAME;
    if (area * MILLION < slot->least * frame || area * MILLION > slot->most * frame)
        return VN_IMAGE_AREA;
    if (sum * 256 < slot->change * area * 3 || strong * MILLION <= slot->variation * area)
        return VN_IMAGE_SAME;
    return VN_IMAGE_VALID;
}

/* The canvas as the picture is. */
static void
wipe(vn_canvas *canvas, const vn_photo *in, vn_box b)
{
    for (int64_t i = b.top; i < b.top + b.height; i++) {
        memcpy(canvas->rgb + (i * in->W + b.left) * 3, in->rgb + (i * in->W + b.left) * 3, (size_t)b.width * 3);
        memset(canvas->region + i * in->W + b.left, 0, (size_t)b.width);
    }
    canvas->touched = (vn_box){0, 0, 0, 0};
}

/* Draws on until something is valid or the draws are used up. */
static void
draw_on(vn_image_job *job, int64_t i, int64_t k, int worker)
{
    int64_t at = i * job->K + k;
    const vn_photo *in = &job->photo[i], *other = job->other[i].rgb != NULL ? &job->other[i] : NULL;
    const vn_image_slot *slot = &job->slot[k];
    vn_variant *v = &job->variant[at];
    vn_image_reason reason = (vn_image_reason)job->reason[at];
    while (job->draws[at] < DRAWS && reason != VN_IMAGE_VALID) {
        vn_arena scratch = {job->scratch + (size_t)worker * job->share, 0, job->share};
        wipe(&v->canvas, in, v->canvas.touched);
        v->kind = v->variants = 0;
        for (int n = 0; n < VN_IMAGE_NOTES; n++)
            v->note[n] = INT32_MIN;
        reason = slot->maker->make(v, in, other, slot, &job->rng[at], &scratch);
        if (reason == VN_IMAGE_VALID)
            reason = judge(&v->canvas, in, slot);
        job->draws[at]++;
        if (reason == VN_IMAGE_EMPTY || v->variants == 1)
            job->draws[at] = DRAWS;
    }
    if (reason != VN_IMAGE_VALID)
        wipe(&v->canvas, in, v->canvas.touched);
    job->reason[at] = (uint8_t)reason;
}

static void
draw_slot(void *arg, int64_t item, int worker)
{
    vn_image_job *job = (vn_image_job *)arg;
    int64_t i = item / job->K, k = item % job->K;
    const vn_photo *in = &job->photo[i];
    const vn_image_slot *slot = &job->slot[k];
    job->rng[item] = (vn_rng){job->seed, job->row[i], slot->number << 16, slot->stream};
    job->draws[item] = 0;
    job->reason[item] = VN_IMAGE_SAME;
    memcpy(job->variant[item].canvas.rgb, in->rgb, (size_t)(in->H * in->W) * 3);
    draw_on(job, i, k, worker);
}

static int
repeats(const vn_image_job *job, int64_t i, int64_t k)
{
    const vn_photo *in = &job->photo[i];
    const vn_variant *row = job->variant + i * job->K;
    for (int64_t j = 0; j < k; j++)
        if (job->reason[i * job->K + j] == VN_IMAGE_VALID &&
            memcmp(row[j].canvas.rgb, row[k].canvas.rgb, (size_t)(in->H * in->W * 3)) == 0)
            return 1;
    return 0;
}

static void
compare_row(void *arg, int64_t i, int worker)
{
    vn_image_job *job = (vn_image_job *)arg;
    for (int64_t k = 1; k < job->K; k++)
        while (job->reason[i * job->K + k] == VN_IMAGE_VALID && repeats(job, i, k)) {
            job->reason[i * job->K + k] = VN_IMAGE_REPEAT;
            draw_on(job, i, k, worker);
        }
}

void
vn_image_draw(vn_image_job *job)
{
    vn_parallel_for(job->N * job->K, draw_slot, job);
    vn_parallel_for(job->N, compare_row, job);
}

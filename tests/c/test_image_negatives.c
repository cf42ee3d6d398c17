/* Every image edit on made-up pictures and masks, for the sanitizers: memory of exactly the promised size, masks that
 * are empty, full or partly outside the frame, pictures of one pixel and of one row. Nothing outside the region
 * changes. */
#include <string.h>

#include "check.h"
#include "../../csrc/vn_picture.h"

enum { OBJECTS = 5, SLOTS = 4, ROUNDS = 6, BAG = 64 };

static void *bag[BAG];
static int held;

/* Memory until the bag is emptied. */
static void *
hold(int64_t bytes)
{
    return bag[held++] = fresh((size_t)bytes);
}

static vn_mask
mask(vn_rng *rng, int kind, int64_t H, int64_t W)
{
    int64_t h = kind == 0 ? H : 1 + vn_rng_below(rng, H), w = kind == 0 ? W : 1 + vn_rng_below(rng, W);
    uint8_t *at = hold(h * w);
    for (int64_t i = 0; i < h * w; i++)
        at[i] = (uint8_t)(kind != 1 && (kind == 0 || vn_rng_below(rng, 5) > 0));
    vn_box placed = {kind == 0 ? 0 : vn_rng_below(rng, 2 * H) - H / 2, kind == 0 ? 0 : vn_rng_below(rng, 2 * W) - W / 2,
                     h, w};
    vn_mask m = vn_mask_of(at, w, placed, H, W);
    CHECK(m.area == 0 || (m.box.top >= 0 && m.box.left >= 0 && m.box.top + m.box.height <= H &&
                          m.box.left + m.box.width <= W && m.area <= m.box.height * m.box.width));
    m.kind = (int32_t)vn_rng_below(rng, 3);
    m.group = m.kind / 2;
    return m;
}

static vn_photo
photo(vn_rng *rng, int64_t H, int64_t W, vn_mask *masks)
{
    uint8_t *rgb = hold(H * W * 3);
    int64_t flat = vn_rng_below(rng, 3);
    for (int64_t i = 0; i < H * W * 3; i++)
        rgb[i] = (uint8_t)(flat == 0 ? i % 3 * 90 : vn_rng_below(rng, 256));
    int first = (int)vn_rng_below(rng, 3); /* in one of three, a mask of the whole frame */
    for (int m = 0; m < OBJECTS; m++) {
        masks[m] = mask(rng, first + m, H, W);
        for (int64_t p = 0; flat == 1 && p < masks[m].box.height * masks[m].box.width; p++) {
            int64_t y = masks[m].box.top + p / masks[m].box.width, x = masks[m].box.left + p % masks[m].box.width;
            rgb[(y * W + x) * 3 + m % 3] = 230;
        }
    }
    return (vn_photo){rgb, H, W, masks, OBJECTS};
}

static vn_image_slot
draw_slot(vn_rng *rng, const vn_image_maker *maker, uint32_t stream, uint32_t number)
{
    vn_image_slot slot = {.maker = maker, .stream = stream, .number = number};
    slot.feather = (int32_t)vn_rng_below(rng, 5);
    slot.least = number % 2 == 0 ? 0 : 5000;
    slot.most = number % 2 == 0 ? 1000000 : 600000;
    for (int i = 0; i < VN_IMAGE_PARAMS; i++)
        slot.param[i] = maker->range[i][0] +
                        (int32_t)vn_rng_below(rng, maker->range[i][1] - (int64_t)maker->range[i][0] + 1);
    return slot;
}

static void
check_variant(const vn_variant *v, const vn_photo *in, vn_image_reason reason)
{
    int64_t changed = 0, area = 0;
    for (int64_t p = 0; p < in->H * in->W; p++) {
        area += v->canvas.region[p];
        changed += v->canvas.region[p] == 0 && memcmp(v->canvas.rgb + p * 3, in->rgb + p * 3, 3) != 0;
    }
    CHECK(changed == 0 && (area > 0) == (reason == VN_IMAGE_VALID));
    CHECK(reason < VN_IMAGE_REASONS);
}

/* Slots of one maker on one picture. */
static int
test_edit(vn_rng *rng, const vn_image_maker *maker, uint32_t stream, int64_t H, int64_t W)
{
    vn_mask own[OBJECTS], others[OBJECTS];
    vn_photo in = photo(rng, H, W, own), other = photo(rng, 1 + vn_rng_below(rng, 9), 1 + vn_rng_below(rng, 9), others);
    vn_image_slot slot[SLOTS];
    vn_variant variant[SLOTS];
    vn_rng places[SLOTS];
    uint8_t reason[SLOTS], draws[SLOTS];
    uint64_t row = vn_rng_next(rng);
    int valid = 0;
    for (uint32_t k = 0; k < SLOTS; k++) {
        slot[k] = draw_slot(rng, maker, stream, k);
        memset(&variant[k], 0, sizeof variant[k]);
        uint8_t *region = hold(H * W);
        memset(region, 0, (size_t)(H * W));
        variant[k].canvas = (vn_canvas){hold(H * W * 3), region, H, W, {0, 0, 0, 0}};
    }
    vn_image_job job = {.photo = &in, .other = &other, .row = &row, .slot = slot, .N = 1, .K = SLOTS, .seed = 7,
                        .variant = variant, .reason = reason, .draws = draws, .rng = places};
    job.share = vn_image_scratch(&in, &other);
    job.scratch = hold((int64_t)job.share * SLOTS);
    memset(job.scratch, 0, job.share * SLOTS); /* as the pages of an arena; a resize leaves lanes over */
    vn_image_draw(&job);
    for (int k = 0; k < SLOTS; k++) {
        check_variant(&variant[k], &in, (vn_image_reason)reason[k]);
        valid += reason[k] == VN_IMAGE_VALID;
    }
    while (held > 0)
        free(bag[--held]);
    return valid;
}

int
main(void)
{
    static const int64_t sizes[][2] = {{1, 1}, {1, 9}, {8, 1}, {2, 3}, {5, 5}, {17, 23}, {40, 31}};
    vn_rng rng = {3, 5, 0, 9};
    const vn_image_maker *maker;
    uint32_t stream;
    for (int i = 0; (maker = vn_image_listed(i, &stream)) != NULL; i++) {
        int valid = 0;
        for (int round = 0; round < ROUNDS; round++)
            for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
                valid += test_edit(&rng, maker, stream, sizes[s][0], sizes[s][1]);
        if (valid == 0)
            fprintf(stderr, "%s made nothing\n", maker->name);
        CHECK(valid > 0);
    }
    return failures;
}

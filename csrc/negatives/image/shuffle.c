/* Patches, rows or columns of the picture in another order.
 *
 * The frame is cut into rows x columns cells of floor(H/rows) x floor(W/columns) pixels, fewer where it is too small;
 * what is left over at the right and at the bottom stays. ARO probes with 4 rows, 4 columns and 3 x 3 patches.
 * param: rows, columns, at most MOST together. Yuksekgonul et al., ICLR 2023. */
#include "../../vn_picture.h"

#include <string.h>

enum { MOST = 256 };

/* Fisher and Yates, from the end. */
static void
permute(int *order, int n, vn_rng *rng)
{
    for (int i = 0; i < n; i++)
        order[i] = i;
    for (int i = n - 1; i > 0; i--) {
        int j = (int)vn_rng_below(rng, i + 1), was = order[i];
        order[i] = order[j];
        order[j] = was;
    }
}

static vn_image_reason
make(vn_variant *out, const vn_photo *in, const vn_photo *other, const vn_image_slot *slot, vn_rng *rng,
     vn_arena *scratch)
{
    int64_t rows = VN_MIN(slot->param[0], in->H), columns = VN_MIN(slot->param[1], in->W);
    int64_t h = in->H / rows, w = in->W / columns;
    int order[MOST];
    (void)other;
    out->kind = slot->param[0] == 1 ? 2 : slot->param[1] == 1;
    if (rows * columns < 2)
        return VN_IMAGE_EMPTY;
    out->variants = (int)(rows * columns); /* at the least */
    permute(order, (int)(rows * columns), rng);
    vn_layer layer = {{0, 0, in->H, in->W}, vn_arena_take(scratch, (size_t)(in->H * in->W))};
    uint8_t *rgb = vn_arena_take(scratch, (size_t)(in->H * in->W) * 3);
    memset(layer.alpha, 0, (size_t)(in->H * in->W));
    memcpy(rgb, in->rgb, (size_t)(in->H * in->W) * 3);
    for (int64_t to = 0; to < rows * columns; to++) {
        int64_t from = order[to];
        for (int64_t i = 0; i < h; i++) {
            int64_t here = (to / columns * h + i) * in->W + to % columns * w;
            int64_t there = (from / columns * h + i) * in->W + from % columns * w;
            memcpy(rgb + here * 3, in->rgb + there * 3, (size_t)w * 3);
            memset(layer.alpha + here, to != from ? 255 : 0, (size_t)w);
        }
    }
    vn_paint(&out->canvas, &layer, rgb);
    return VN_IMAGE_VALID;
}

static const char *const kinds[] = {"shuffle_patches", "shuffle_rows", "shuffle_columns", NULL};
static const char *const notes[] = {NULL};

const vn_image_maker vn_image_shuffle = {
    "shuffle", "patches, rows or columns in another order", kinds, notes, {{1, 16}, {1, 16}}, make,
};

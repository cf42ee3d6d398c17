/* The generators of embedding negatives, in the order of vn_registry.def. */
#include "../vn_embed.h"

#define VN_EMBED(name, number) extern const vn_embed_maker vn_embed_##name;
#include "../vn_registry.def"

const vn_embed_maker *
vn_embed_listed(int i, uint32_t *stream)
{
    static const struct {
        const vn_embed_maker *maker;
        uint32_t stream;
    } list[] = {
#define VN_EMBED(name, number) {&vn_embed_##name, number},
#include "../vn_registry.def"
    };
    if (i < 0 || i >= (int)(sizeof list / sizeof list[0]))
        return NULL;
    *stream = list[i].stream;
    return list[i].maker;
}

/* Scenes of many rows, edits and sizes in exactly sized memory; a scene's mask agrees with its objects. */
#include <string.h>

#include "../../csrc/scenes/vn_scene.h"
#include "check.h"

static void
test_row(uint64_t seed, uint64_t row, int64_t size)
{
    vn_scene scene, edited;
    uint8_t *rgb = fresh((size_t)(size * size * 3)), *mask = fresh((size_t)(size * size));
    char *text = fresh(VN_SCENE_TEXT);
    vn_scene_sample(&scene, seed, row);
    CHECK(scene.objects >= 1 && scene.objects <= 3 && scene.groups <= scene.objects);
    CHECK(vn_scene_holds(&scene, &scene));
    for (int edit = VN_EDIT_NONE; edit < VN_EDITS; edit++) {
        int made = edit == VN_EDIT_NONE ? 1 : vn_scene_edit(&edited, &scene, edit);
        const vn_scene *s = edit == VN_EDIT_NONE ? &scene : &edited;
        CHECK(made == (edit == VN_EDIT_NONE || !vn_scene_holds(s, &scene)));
        CHECK(vn_scene_say(text, s) == (int64_t)strlen(text));
        vn_scene_draw(rgb, mask, s, size);
        for (int64_t i = 0; i < size * size; i++)
            CHECK(mask[i] <= s->objects);
        vn_scene_draw(rgb, NULL, s, size);
    }
    free(rgb);
    free(mask);
    free(text);
}

int
main(void)
{
    const int64_t sizes[] = {1, 2, 3, 7, 17, 64, VN_SCENE_MAX};
    for (int s = 0; s < 7; s++)
        for (uint64_t row = 0; row < (sizes[s] > 64 ? 2 : 40); row++)
            test_row(s % 2 ? UINT64_MAX : 3, row + ((uint64_t)s << 40), sizes[s]);
    return failures;
}

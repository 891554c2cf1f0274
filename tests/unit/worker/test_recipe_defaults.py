import codec
from config.recipes import Recipe


def test_a_plain_recipe_asks_for_what_the_encoder_does_by_itself():
    assert Recipe().strength == codec.DEFAULT_STRENGTH
    assert codec.Quality(Recipe().quality) == codec.DEFAULT_QUALITY

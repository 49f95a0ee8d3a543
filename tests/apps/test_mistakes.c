/* Mistakes with runs that a newcomer makes: each message says what is wrong and what to do. */
#include "program.h"

START_TEST(words_in_the_wrong_place)
{
    static const struct {
        const char *command, *words[2];
    } cases[] = {
        {"norma train r", {"is a run directory", "norma train --resume --run r"}},
        {"norma train r --resume", {"is a run directory", "--resume --run r"}},
        {"norma train r/last.h5", {"is a checkpoint", "norma train --resume --run r;"}},
        {"norma train --resume", {"--resume needs --run DIR", ""}},
        {"norma train --resume --run r/last.h5", {"is a file", "the run directory: r"}},
        {"norma train --resume --run nowhere", {"no run to go on with", "name the MODEL"}},
        {"norma train tiny.yaml --run tiny.yaml", {"is a file", "choose another --run"}},
        {"norma train tiny.yaml --run tiny.yaml/below", {"is a file", "choose another --run"}},
        {"norma train tiny.yaml --run ''", {"empty name", "--run DIR"}},
        {"norma train tiny.yaml --run r", {"holds a run already", "--resume goes on"}},
        {"norma train --resume --run r --seed 5", {"seed 1", "give what it was trained with"}},
        {"norma train --resume --run r --optimizer adam", {"optimizer is 'sgd'", "give what it was trained with"}},
        {"norma train --resume --run r --data fashion-mnist", {"fashion-mnist", ""}},
        {"norma train --resume --run r --batch 33", {"batch 32", "give what it was trained with"}},
        {"norma compare tiny.yaml --vary steps=1,2 --run r", {"is a run of norma train", "choose another --run"}},
        {"norma compare --resume --vary steps=1,2", {"--resume needs --run DIR", ""}},
    };
    expect(0, "norma train tiny.yaml --steps 2 --run r");
    char *before = fingerprint("r");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        said s = expect(2, "%s", cases[i].command);
        contains(s.err, cases[i].words[0]);
        contains(s.err, cases[i].words[1]);
    }
    ck_assert_str_eq(before, fingerprint("r"));
    /* a folder called like a ready model is no model */
    expect(0, "mkdir mnist-cnn && norma train mnist-cnn --data digits --limit 64 --steps 1 --run m");
}
END_TEST

START_TEST(nothing_left_to_do)
{
    expect(0, "norma train tiny.yaml --steps 4 --run r");
    contains(expect(0, "norma train --resume --run r").err,
             "nothing to do: 4 steps are done, and training ends after 4");
    contains(expect(0, "norma train --resume --run r --steps 3").err,
             "nothing to do: 4 steps are done, and training ends "
             "after 3");
    said s = expect(0, "norma train --resume --run r --epochs 1"); /* --epochs wins over the steps of before */
    contains(s.out, "after 16 steps");
    ck_assert_ptr_null(strstr(s.err, "nothing to do"));
    contains(expect(0, "norma train --resume --run r --tune --epochs 1").err, "--tune has no effect");
}
END_TEST

START_TEST(a_run_that_diverged)
{
    expect(3, "norma train tiny.yaml --without batchnorm --lr 1e9 --run r");
    contains(expect(3, "norma train --resume --run r").err, "the run diverged at step");
    said s = expect(0, "norma train --resume --run r --lr 0.001");
    contains(s.err, "the run diverged at step");
    ck_assert_ptr_null(strstr(expect(0, "norma train --resume --run r --lr 0.001").err, "diverged"));
}
END_TEST

START_TEST(checkpoints_that_are_lost)
{
    expect(0, "norma train tiny.yaml --steps 4 --save-every 2s --run r && cp -r r d && rm r/last.h5");
    contains(expect(2, "norma train tiny.yaml --run r").err, "step-00000004.h5 is there");
    expect(0, "cp -r r s && head -c 9000 r/step-00000004.h5 >s/step-00000004.h5");
    contains(expect(0, "norma train --resume --run r --steps 4").err, "goes on from step-00000004.h5");
    contains(expect(0, "norma train --resume --run s --steps 4").err, "goes on from step-00000002.h5");
    expect(0, "cmp r/last.h5 s/last.h5");
    expect(0, "rm r/last.h5 r/step-*");
    contains(expect(0, "norma train --resume --run r --steps 5").err, "goes on from best.h5");
    expect(0, "rm s/last.h5 && head -c 9000 s/best.h5 >s/step-00000004.h5 && rm s/best.h5 s/step-00000002.h5");
    contains(expect(2, "norma train --resume --run s").err, "step-00000004.h5 is there, which is damaged");
    expect(0, "rm r/model.yaml");
    contains(expect(2, "norma train --resume --run r").err, "model.yaml is missing; name the MODEL");
    expect(0, "norma train tiny.yaml --resume --run r --steps 6");
    /* damaged */
    expect(0, "rm d/last.h5 && head -c 9000 d/step-00000004.h5 >d/last.h5");
    contains(expect(2, "norma train --resume --run d").err, "copied to last.h5");
    expect(0, "cp d/step-00000002.h5 d/last.h5 && norma train --resume --run d");
}
END_TEST

SUITE_WITH("mistakes", in_own_folder, words_in_the_wrong_place, nothing_left_to_do, a_run_that_diverged,
           checkpoints_that_are_lost)

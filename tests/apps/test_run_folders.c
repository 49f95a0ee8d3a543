/* What norma train makes, replaces and removes in folders: its own files only. */
#include "program.h"

START_TEST(files_of_others_stay)
{
    expect(0, "mkdir mine && echo important >mine/thesis.tmp-backup.txt && echo x >mine/last.h5.tmp-77 && "
              "echo x >mine/.norma-notes.tmp");
    expect(0, "norma train tiny.yaml --run mine --steps 1");
    expect(0, "norma train --run mine --resume --steps 2");
    expect(0,
           "grep -q important mine/thesis.tmp-backup.txt && test -f mine/last.h5.tmp-77 -a -f mine/.norma-notes.tmp");
}
END_TEST

/* What a killed process left goes with the next start; not what a living one is writing. */
START_TEST(own_leftovers_go)
{
    expect(0, "norma train tiny.yaml --run r --steps 1");
    expect(0, "sh -c 'exit 0' & dead=$!; wait $dead; touch r/.norma-$dead-0123456789abcdef.tmp\n"
              "touch r/.norma-$PPID-0123456789abcdef.tmp r/.norma-$dead-0123456789ABCDEF.tmp\n"
              "norma train --run r --resume --steps 2 && "
              "test ! -e r/.norma-$dead-0123456789abcdef.tmp -a -e r/.norma-$PPID-0123456789abcdef.tmp "
              "-a -e r/.norma-$dead-0123456789ABCDEF.tmp");
    /* a program that has the number by now, but is younger than the file */
    expect(0, "sleep 100 & other=$!; touch -d '1 hour ago' r/.norma-$other-0123456789abcdef.tmp\n"
              "norma train --run r --resume --steps 3; kill $other; test ! -e r/.norma-$other-0123456789abcdef.tmp");
}
END_TEST

/* As a power cut may leave it: the checkpoint says whose folder it is. */
START_TEST(an_empty_lock_loses_no_run)
{
    expect(0, "norma train tiny.yaml --run r --steps 1 && : >r/lock && norma train --run r --resume --steps 2");
    contains(read_text("r/lock"), "norma ");
    contains(expect(2, ": >r/lock; norma train tiny.yaml --run r --steps 3").err, "--resume goes on with it");
}
END_TEST

START_TEST(what_would_be_replaced_is_refused)
{
    static const char *const names[] = {"lock", "model.yaml", "best.h5", "step-00000001.h5"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        expect(0, "mkdir m%zu && echo precious >m%zu/%s", i, i, names[i]);
        contains(expect(2, "norma train tiny.yaml --steps 1 --run m%zu", i).err, names[i]);
        expect(0, "test \"$(ls m%zu)\" = %s && grep -q precious m%zu/%s", i, names[i], i, names[i]);
    }
    /* in a run's own folder too */
    expect(0, "norma train tiny.yaml --steps 1 --run r && echo precious >r/step-00000002.h5");
    contains(expect(2, "norma train --resume --steps 3 --run r").err, "step-00000002.h5");
    expect(0, "mv r/step-00000002.h5 r/step-000000002.h5 && norma train --resume --steps 40 --save-every 1s --run r && "
              "grep -q precious r/step-000000002.h5 && test ! -e r/step-00000038.h5 -a -e r/step-00000039.h5");
}
END_TEST

START_TEST(refused_starts_leave_nothing)
{
    expect(2, "norma train tiny.yaml --data nowhere --run a/b/c");
    expect(2, "norma train tiny.yaml --schedule cosin");
    expect(0, "test ! -e a -a ! -e runs");
    /* the folder is there, and what is wrong is found when it is opened: nothing can be written
     * into it */
    expect(0, "mkdir full");
    expect(1, "ulimit -f 0; trap '' XFSZ; norma train tiny.yaml --steps 1 --run full");
    expect(1, "ulimit -f 0; trap '' XFSZ; norma train tiny.yaml --steps 1 --run made/below");
    expect(0, "test -z \"$(ls -A full)\" -a ! -e made");
    expect(0, "norma train tiny.yaml --steps 1 --run full");
}
END_TEST

START_TEST(each_start_has_its_own_folder)
{
    expect(0, "for i in 1 2 3 4; do \"$NORMA_PROGRAM\" train tiny.yaml --steps 2 >out$i & all=\"$all $!\"; done\n"
              "for p in $all; do wait $p || exit 1; done\n"
              "cat out? | grep -c 'run directory: runs/tiny-[1-4]$' | grep -qx 4 && ls -d runs/* | wc -l | grep -qx 4");
}
END_TEST

/* The model's name is a word of the user's, not a path. */
START_TEST(names_stay_below_runs)
{
    contains(expect(0, "norma train tiny.yaml --set 'name=../../up' --steps 1").out, "run directory: runs/_._.._up-1");
    contains(expect(0, "norma train tiny.yaml --set name=. --steps 1").out, "run directory: runs/_-1");
    expect(0, "norma train tiny.yaml --set name=$(printf %%0300d 7) --steps 1");
    expect(0, "test \"$(ls -d *)\" = \"$(printf 'err.txt\\nout.txt\\nruns\\ntiny.yaml')\"");
}
END_TEST

SUITE_WITH("run folders", in_own_folder, an_empty_lock_loses_no_run, files_of_others_stay, own_leftovers_go,
           what_would_be_replaced_is_refused, refused_starts_leave_nothing, each_start_has_its_own_folder,
           names_stay_below_runs)

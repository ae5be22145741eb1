# To be sourced: sets XLA's CPU plugin for tests, which it downloads once (63 MB), or says that they are skipped.
if [ "${ANNEAL_TEST_XLA:-1}" = 0 ]; then
    unset ANNEAL_PJRT_PLUGIN
    scripts/say "skipped: tests of the xla engine (ANNEAL_TEST_XLA=0)"
elif scripts/plugin.sh cpu .build/plugins >.build/plugin.log 2>&1; then
    ANNEAL_PJRT_PLUGIN=$PWD/.build/plugins/cpu/lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so
    export ANNEAL_PJRT_PLUGIN
else
    unset ANNEAL_PJRT_PLUGIN
    scripts/say "skipped: tests of the xla engine (its plugin cannot be downloaded: $(tail -1 .build/plugin.log))"
fi

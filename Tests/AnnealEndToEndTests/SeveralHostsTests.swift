import Anneal
import Foundation
import Testing

/// Whether network namespaces, which represent hosts, can be created here: as root, and not in every container.
private let hasNamespaces: Bool = {
    guard geteuid() == 0, FileManager.default.isExecutableFile(atPath: "/usr/bin/mpirun"), let tool = try? Tool() else {
        return false
    }
    defer { tool.remove() }
    let result = try? tool.shell(
        "a=anneal-try-$$; ip netns add $a && ip -n $a link add v type veth peer name w; s=$?; ip netns del $a; exit $s")
    return result?.status == 0
}()

/// Jobs over a network: two network namespaces, each with its own address, are the hosts.
@Suite(.enabled(if: hasNamespaces, "no network namespaces ('ip netns add' as root) or no mpirun"))
struct SeveralHostsTests {
    /// Two hosts with a link between them, and a stand-in for ssh. The function `on` runs a command on one of them.
    private static let hosts = #"""
        a=anneal-a-$$; b=anneal-b-$$
        ip netns add $a && ip netns add $b || exit 99
        trap 'for n in $a $b; do ip netns pids $n | xargs -r kill -KILL; ip netns del $n; done' EXIT
        ip -n $a link add veth0 type veth peer name veth0 netns $b
        ip -n $a addr add 10.77.0.1/24 dev veth0; ip -n $b addr add 10.77.0.2/24 dev veth0
        for n in $a $b; do ip -n $n link set lo up; ip -n $n link set veth0 up; done
        cat > rsh <<END
        #!/bin/sh
        while [ \$# -gt 0 ]; do case "\$1" in -x|-n|-q|-T) shift;; -p|-o|-l) shift 2;; *) break;; esac; done
        case "\$1" in 10.77.0.1) n=$a;; 10.77.0.2) n=$b;; *) exit 1;; esac
        export TMPDIR=$PWD/tmp-\$n; mkdir -p \$TMPDIR
        shift; exec ip netns exec \$n sh -c "\$*"
        END
        chmod +x rsh; printf '10.77.0.1 slots=1\n10.77.0.2 slots=1\n' > hosts
        launch() { ip netns exec $a $anneal launch -n 2 -H hosts --rsh $PWD/rsh "$@"; }

        """#

    private func train(_ folder: String, epochs: Int, _ more: String) -> String {
        """
        $anneal train --network mlp --image-shape 1,12,12 --num-classes 3 --data-train train.rec --rgb-mean 100 \
        --rgb-std 60 --lr 0.05 --shards 2 --global-batch-size 32 --num-epochs \(epochs) --run-folder \(folder) \(more)
        """
    }

    @Test func twoHostsGiveTheBitsOfOne() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 200)
        let result = try tool.shell(
            Self.hosts + train("alone", epochs: 2, "") + "\nlaunch "
                + train("job", epochs: 2, "--kv-store dist_sync --bucket-mb 0"))
        #expect(result.status == 0, "\(result.output)")
        #expect(try tool.bytes("job/model-0002.params") == tool.bytes("alone/model-0002.params"))
    }

    /// A host whose link is cut is named, the job ends, and none of its processes is left on either host.
    @Test func aHostThatIsCutOffIsNamed() throws {
        let tool = try Tool()
        defer { tool.remove() }
        try tool.writeRecords("train", count: 200)
        let result = try tool.shell(
            Self.hosts + "launch " + train("job", epochs: 1_000_000, "--kv-store dist_sync --rank-timeout 3") + """
                 &
                for i in $(seq 100); do [ -f job/log-rank1.txt ] && break; sleep 0.1; done; sleep 1
                ip -n $b link set veth0 down
                wait $!; echo "status $?"
                # mpirun's daemon over there may wait for its connection to time out.
                left() { for p in $(ip netns pids $a; ip netns pids $b); do cat /proc/$p/comm; done 2>&1 | grep -c anneal; }
                for i in $(seq 100); do [ "$(left)" = 0 ] && break; sleep 0.1; done
                echo "left: $(left)"
                """)
        #expect(result.output.contains("rank 1 on "), "\(result.output)")
        #expect(result.output.contains("has not answered for 3 s"), "\(result.output)")
        #expect(result.output.contains("status 1\n") && result.output.contains("left: 0"), "\(result.output)")
    }
}

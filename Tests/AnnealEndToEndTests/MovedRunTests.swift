import Anneal
import Foundation
import Testing

/// Projects that are moved or copied with their runs.
@Suite struct MovedRunTests {
    /// A project with data in `p`, and one epoch trained there.
    private func project(_ more: String = "") throws -> Tool {
        let tool = try Tool()
        try Files.makeFolder(tool.path("p"))
        try tool.writeRecords("p/train", count: 96)
        try tool.writeRecords("p/val", count: 32)
        let run = try tool.shell(
            """
            cd p && $anneal train --network mlp --image-shape 1,12,12 --num-classes 3 --data-train train.rec \
            --data-val val.rec --batch-size 32 --num-epochs 1 --run-folder runs/r \(more)
            """)
        #expect(run.status == 0, "\(run.output)")
        return tool
    }

    @Test func aMovedProjectResumes() throws {
        let tool = try project("--model-prefix m")
        defer { tool.remove() }
        let moved = try tool.shell("mv p q && $anneal resume q/runs/r --num-epochs 2")
        #expect(moved.status == 0 && moved.output.contains("its paths begin in"), "\(moved.output)")
        #expect(Files.exists(tool.path("q/m-0002.params")))
        // Now it belongs there, and may be moved again, accessed through a symbolic link.
        let again = try tool.shell(
            "mkdir deep && mv q deep/s && ln -s deep/s l && $anneal resume l/runs/r --num-epochs 3")
        #expect(again.status == 0, "\(again.output)")
        #expect(Files.exists(tool.path("deep/s/m-0003.params")))
    }

    @Test func aCopyLeavesTheOriginalAlone() throws {
        let tool = try project("--model-prefix m")
        defer { tool.remove() }
        let copy = try tool.shell("cp -r p c && $anneal resume c/runs/r --num-epochs 2")
        #expect(copy.status == 0, "\(copy.output)")
        #expect(Files.exists(tool.path("c/m-0002.params")) && !Files.exists(tool.path("p/m-0002.params")))
        // Through its run, a model is also found in the same project.
        let score = try tool.shell(
            "rm c/m-0001.params && $anneal score --model c/runs/r --data-val p/val.rec --output s")
        #expect(score.status == 0 && score.output.contains("32 images"), "\(score.output)")
    }

    /// A run's configuration file starts the same training from any folder; its output is written there.
    @Test func aConfigurationFindsItsData() throws {
        let tool = try project()
        defer { tool.remove() }
        let elsewhere = try tool.shell(
            "mkdir e && cd e && $anneal train --config ../p/runs/r/config.yaml --tensorboard events --run-folder s")
        #expect(elsewhere.status == 0 && Files.exists(tool.path("e/events")), "\(elsewhere.output)")
        #expect(try tool.bytes("e/s/model-0001.params") == tool.bytes("p/runs/r/model-0001.params"))
        let moved = try tool.shell("mv p q && $anneal train --config q/runs/r/config.yaml --run-folder t")
        #expect(moved.status == 0, "\(moved.output)")
        // A file alone does not belong to a run: its paths are relative to where it is used.
        let alone = try tool.shell("cp q/runs/r/config.yaml c.yaml && $anneal train --config c.yaml --run-folder u")
        #expect(alone.status == 1 && alone.output.contains("train.rec"), "\(alone.output)")
    }

    @Test func aRunsFolderAloneFindsItsDataOrAsksForIt() throws {
        let tool = try project()
        defer { tool.remove() }
        let here = try tool.shell("mv p/runs/r r && $anneal resume r --num-epochs 2")
        #expect(here.status == 0 && !here.output.contains("its paths begin in"), "\(here.output)")
        let gone = try tool.shell("mv p q && $anneal resume r --num-epochs 3")
        #expect(gone.status == 1 && gone.output.contains("--data-train"), "\(gone.output)")
        let named = try tool.shell("$anneal resume r --num-epochs 3 --data-train q/train.rec --data-val q/val.rec")
        #expect(named.status == 0, "\(named.output)")
        let inside = try tool.shell(
            "cd q && $anneal resume ../r --num-epochs 4 --data-train train.rec --data-val val.rec")
        #expect(inside.status == 0, "\(inside.output)")
    }
}

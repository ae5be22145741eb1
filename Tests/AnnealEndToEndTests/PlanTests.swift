import Foundation
import Testing

/// `anneal plan`.
struct PlanTests {
    private static let network = ["plan", "--network", "mlp", "--image-shape", "1,12,12", "--steps", "1"]

    @Test func hostsAreListedUpToTheLast() throws {
        let tool = try Tool()
        defer { tool.remove() }
        let run = try tool.run(
            Self.network + ["--hosts", "6", "--processes", "2", "--bandwidth", "25Gb", "--latency", "20us"])
        #expect(run.status == 0, "\(run.errors)")
        let rows = run.output.split(separator: "\n").suffix(4).map {
            $0.split(separator: " ").prefix(3).map(String.init)
        }
        #expect(rows == [["1", "2", "256"], ["2", "4", "512"], ["4", "8", "1024"], ["6", "12", "1536"]])
    }

    @Test(arguments: [
        (["--bandwidth", "fast"], "--bandwidth fast"), (["--latency", "20"], "--latency 20"),
        (["--hosts", "0"], "--hosts"), (["--processes", "0"], "--processes"),
    ]) func badFlagsAreRefused(_ flags: [String], _ problem: String) {
        let run = Tool.answer(Self.network + flags)
        #expect(run.status == 64 && run.errors.contains(problem), "\(run.errors)")
    }
}

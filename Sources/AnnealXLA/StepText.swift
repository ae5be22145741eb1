import AnnealCompiler
import AnnealCore

/// Programs as the engine gives them to a plugin: `anneal-gpu-compile` inspects what a compiler makes of them.
package enum StepText {
    /// The StableHLO module of some phases of a request, for one device.
    /// - Parameter pixels: how 8-bit pixels become floats, for inputs that are given as pixels.
    package static func module(
        _ request: PlanRequest, phases: Phases, pixels: [String: PixelScaling] = [:], usesTF32: Bool = false
    ) throws -> String {
        let program = try ShardPrograms(request, shards: 1).batch
        let scalings = pixels.reduce(into: [Program.ValueID: PixelScaling]()) { scalings, input in
            if let id = program.input(input.key) { scalings[id] = input.value }
        }
        let writer = PartWriter(
            program, PartKey(phases, StepInputs.Merge(), pixels: scalings), precision: request.precision,
            usesTF32: usesTF32, reproducesMXNetDefects: false)
        return try writer.write(carried: []).module
    }
}

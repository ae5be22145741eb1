import AnnealCore
import CPJRT

/// A device that need not be in this machine: programs are compiled for it only to inspect the result.
package final class PJRTTopology {
    private let plugin: PJRTPlugin
    private let pointer: OpaquePointer

    /// - Parameter configuration: XLA's description of a GPU, the text of a `GpuTargetConfigProto`.
    package init(_ plugin: PJRTPlugin, configuration: String) throws {
        self.plugin = plugin
        var arguments = PJRT_TopologyDescription_Create_Args()
        let options: [PJRTClient.Option] = [
            .string("target_config", configuration), .string("topology", "1x1x1"),
        ]
        try PJRTClient.withValues(options) { values in
            arguments.options = values.baseAddress
            arguments.option_count = values.count
            try plugin.call(PJRT_TopologyDescription_Create, &arguments)
        }
        guard let topology = arguments.topology else {
            throw AnnealError("plugin \(plugin.path)", "made no description of a device", code: .unsupported)
        }
        pointer = topology
    }

    deinit {
        var arguments = PJRT_TopologyDescription_Destroy_Args()
        arguments.topology = pointer
        plugin.destroy(PJRT_TopologyDescription_Destroy, &arguments)
    }

    /// Compiles a module given as StableHLO text.
    package func compile(_ text: String, options: CompileOptions) throws -> CompiledProgram {
        var arguments = PJRT_Compile_Args()
        arguments.topology = pointer
        try PJRTClient.withProgram(text, options) { program, options in
            arguments.program = program
            arguments.options = options.baseAddress
            arguments.options_size = options.count
            try plugin.call(PJRT_Compile, &arguments)
        }
        guard let executable = arguments.executable else {
            throw AnnealError("plugin \(plugin.path)", "compilation gave nothing", code: .unsupported)
        }
        return CompiledProgram(plugin, executable)
    }
}

/// A program for a device that need not be in this machine.
package final class CompiledProgram {
    private let plugin: PJRTPlugin
    private let pointer: OpaquePointer

    fileprivate init(_ plugin: PJRTPlugin, _ pointer: OpaquePointer) {
        self.plugin = plugin
        self.pointer = pointer
    }

    deinit {
        var arguments = PJRT_Executable_Destroy_Args()
        arguments.executable = pointer
        plugin.destroy(PJRT_Executable_Destroy, &arguments)
    }

    /// Peak bytes on the device, arguments and results included.
    package func peakBytes() throws -> Int {
        var arguments = PJRT_Executable_GetCompiledMemoryStats_Args()
        arguments.executable = pointer
        try plugin.call(PJRT_Executable_GetCompiledMemoryStats, &arguments)
        return Int(arguments.peak)
    }

    /// The compiled module.
    package func module() throws -> CompiledModule {
        var program = PJRT_Program()
        program.struct_size = MemoryLayout<PJRT_Program>.size
        try read(&program)
        var code = [CChar](repeating: 0, count: program.code_size)
        try code.withUnsafeMutableBufferPointer {
            program.code = UnsafePointer($0.baseAddress)
            try read(&program)
        }
        return try CompiledModule(code.map { UInt8(bitPattern: $0) })
    }

    private func read(_ program: inout PJRT_Program) throws {
        var arguments = PJRT_Executable_OptimizedProgram_Args()
        arguments.executable = pointer
        try withUnsafeMutablePointer(to: &program) {
            arguments.program = $0
            try plugin.call(PJRT_Executable_OptimizedProgram, &arguments)
        }
    }
}

import AnnealCompiler
import AnnealCore
import AnnealGraph
import AnnealXLA
import CPJRT
import Foundation
import Testing

/// XLA's CPU plugin (`make plugin NAME=cpu`), if it is available.
private let cpuPlugin = PluginSearch().all().map(\.path).first { $0.contains("pjrt_c_api_cpu_plugin") }

/// The plugin's own functions.
nonisolated(unsafe) private var genuine: UnsafePointer<UnsafeMutableRawPointer?>?

/// XLA's CPU plugin with one failing function at a time: one clear error, or none if nothing depends on it.
@Suite(.enabled(if: cpuPlugin != nil, "no plugin for xla-cpu ('make plugin NAME=cpu' installs it)"), .serialized)
struct FailingCallTests {
    typealias Function = @convention(c) (UnsafeMutableRawPointer) -> OpaquePointer?

    /// Marks an error of ours.
    private static let mark = 16

    private static func call(_ place: PJRT_Function, _ arguments: UnsafeMutableRawPointer) {
        guard let address = genuine?[Int(place.rawValue)] else { return }
        typealias Plain = @convention(c) (UnsafeMutableRawPointer) -> Void
        unsafeBitCast(address, to: Plain.self)(arguments)
    }

    private static func isOurs(_ error: OpaquePointer?) -> Bool { Int(bitPattern: error) == mark }

    private static let fails: Function = { _ in OpaquePointer(bitPattern: FailingCallTests.mark) }
    private static let destroys: Function = { arguments in
        let given = arguments.assumingMemoryBound(to: PJRT_Error_Destroy_Args.self).pointee.error
        if !FailingCallTests.isOurs(given) { FailingCallTests.call(PJRT_Error_Destroy, arguments) }
        return nil
    }
    private static let tellsCode: Function = { arguments in
        let given = arguments.assumingMemoryBound(to: PJRT_Error_GetCode_Args.self).pointee.error
        if !FailingCallTests.isOurs(given) { FailingCallTests.call(PJRT_Error_GetCode, arguments) }
        return nil
    }
    private static let tellsMessage: Function = { arguments in
        let text = arguments.assumingMemoryBound(to: PJRT_Error_Message_Args.self)
        guard FailingCallTests.isOurs(text.pointee.error) else {
            FailingCallTests.call(PJRT_Error_Message, arguments)
            return nil
        }
        let literal: StaticString = "the device is on fire"
        text.pointee.message = UnsafeRawPointer(literal.utf8Start).assumingMemoryBound(to: CChar.self)
        text.pointee.message_size = literal.utf8CodeUnitCount
        return nil
    }

    /// The plugin's interface with one function replaced. It is never freed, like a plugin's.
    private static func interface(failing place: UInt32) throws -> UnsafePointer<PJRT_Api> {
        let path = try #require(cpuPlugin), library = try #require(dlopen(path, RTLD_NOW | RTLD_LOCAL))
        typealias GetAPI = @convention(c) () -> UnsafePointer<PJRT_Api>?
        let symbol = try #require(dlsym(library, "GetPjrtApi"))
        let api = try #require(unsafeBitCast(symbol, to: GetAPI.self)())
        let size = api.pointee.struct_size, header = MemoryLayout<PJRT_Api>.size
        genuine = (UnsafeRawPointer(api) + header).assumingMemoryBound(to: UnsafeMutableRawPointer?.self)
        let copy = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
        copy.copyMemory(from: api, byteCount: size)
        let functions = (copy + header).assumingMemoryBound(to: Function?.self)
        functions[Int(PJRT_Error_Destroy.rawValue)] = destroys
        functions[Int(PJRT_Error_GetCode.rawValue)] = tellsCode
        functions[Int(PJRT_Error_Message.rawValue)] = tellsMessage
        functions[Int(place)] = fails
        return UnsafePointer(copy.assumingMemoryBound(to: PJRT_Api.self))
    }

    /// The larger of each number and 0.
    private func compute(failing place: UInt32) throws -> [Float] {
        let plugin = try PJRTPlugin(Self.interface(failing: place), path: "broken.so")
        let engine = try Accelerators.engine(PJRTClient(plugin))
        let symbol = try SymbolBuilder().activation(.variable("data"), .relu)
        let executor = try Executor(symbol, inputs: ["data": [1, 3]], mode: .inference, engine: engine)
        try executor.setInput("data", Tensor([1, 3], [-1, 2, 3]))
        try executor.forward()
        _ = engine.peakMemory
        _ = executor.plannedBytes
        return try executor.output().elements
    }

    private static let needed = [
        PJRT_Plugin_Initialize, PJRT_Client_Create, PJRT_Client_PlatformName, PJRT_Client_PlatformVersion,
        PJRT_Client_AddressableDevices, PJRT_Device_GetDescription, PJRT_DeviceDescription_Id,
        PJRT_DeviceDescription_Kind, PJRT_Client_Compile, PJRT_Client_BufferFromHostBuffer,
        PJRT_LoadedExecutable_Execute, PJRT_Buffer_ToHostBuffer, PJRT_Event_Await,
    ].map(\.rawValue)

    @Test(arguments: needed) func whatIsNeededEndsInOneError(_ place: UInt32) {
        let error = #expect(throws: AnnealError.self) { try compute(failing: place) }
        #expect(error?.problem == "the device is on fire" && error?.place == "plugin broken.so")
    }

    private static let others = [
        PJRT_Device_MemoryStats, PJRT_Executable_GetCompiledMemoryStats, PJRT_Executable_Serialize,
        PJRT_LoadedExecutable_GetExecutable, PJRT_Buffer_Destroy, PJRT_Event_Destroy, PJRT_LoadedExecutable_Destroy,
        PJRT_Executable_Destroy, PJRT_Client_Destroy,
    ].map(\.rawValue)

    @Test(arguments: others) func whatOnlyTellsOrTidiesUpIsNotNeeded(_ place: UInt32) throws {
        #expect(try compute(failing: place) == [0, 2, 3])
    }
}

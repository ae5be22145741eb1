import AnnealCore
import CPJRT
import Foundation

/// A PJRT plugin: a shared library that compiles and runs programs on one kind of device. It stays loaded until the
/// process ends, since plugins cannot be unloaded safely.
package final class PJRTPlugin: @unchecked Sendable {
    let path: String
    let version: (major: Int, minor: Int)
    private let functions: UnsafePointer<UnsafeMutableRawPointer?>
    private let functionCount: Int

    /// The version that `CPJRT` declares.
    static let knownVersion = (major: 0, minor: 114)
    /// The oldest version whose functions have the arguments that `CPJRT` declares.
    static let oldestMinor = 70

    /// - Throws: `AnnealError` for a library that cannot be loaded or is not a plugin of a known version.
    package convenience init(path: String) throws {
        let place = "plugin \(path)"
        guard FileManager.default.fileExists(atPath: path) else {
            throw AnnealError(place, "there is no such file", code: .notFound)
        }
        // XLA logs to standard error unless it is told not to.
        setenv("TF_CPP_MIN_LOG_LEVEL", "1", 0)
        guard let library = dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
            let reason = dlerror().map { String(cString: $0) } ?? "no reason was given"
            throw AnnealError(place, "cannot be loaded: \(reason)", code: .unsupported)
        }
        guard let symbol = dlsym(library, "GetPjrtApi") else {
            throw AnnealError(
                place, "is not a PJRT plugin: it exports no GetPjrtApi",
                suggestion: "name the plugin's shared library, e.g. xla_cuda_plugin.so", code: .unsupported)
        }
        typealias GetAPI = @convention(c) () -> UnsafePointer<PJRT_Api>?
        guard let api = unsafeBitCast(symbol, to: GetAPI.self)() else {
            throw AnnealError(place, "gives no interface", code: .unsupported)
        }
        try self.init(api, path: path)
    }

    /// - Parameter api: the result of a plugin's `GetPjrtApi`; it stays valid until the process ends.
    package init(_ api: UnsafePointer<PJRT_Api>, path: String) throws {
        let place = "plugin \(path)"
        self.path = path
        let size = api.pointee.struct_size, header = MemoryLayout<PJRT_Api>.size
        version = (Int(api.pointee.version.major), Int(api.pointee.version.minor))
        guard size > header, version.major == Self.knownVersion.major, version.minor >= Self.oldestMinor else {
            throw AnnealError(
                place,
                "has version \(version.major).\(version.minor) of the PJRT interface; Anneal calls versions "
                    + "\(Self.knownVersion.major).\(Self.oldestMinor) and later of \(Self.knownVersion.major)",
                suggestion: "install another version of the plugin ('make plugin' names those that were tried)",
                code: .unsupported)
        }
        functions = (UnsafeRawPointer(api) + header).assumingMemoryBound(to: UnsafeMutableRawPointer?.self)
        functionCount = (size - header) / MemoryLayout<UnsafeMutableRawPointer>.stride
        var arguments = PJRT_Plugin_Initialize_Args()
        try call(PJRT_Plugin_Initialize, &arguments)
    }

    /// Identifies the build of the plugin.
    var stamp: String {
        var info = stat()
        return stat(path, &info) == 0 ? "\(info.st_size) \(info.st_mtim.tv_sec)" : ""
    }

    private func function(_ place: PJRT_Function) throws -> UnsafeMutableRawPointer {
        guard Int(place.rawValue) < functionCount, let function = functions[Int(place.rawValue)] else {
            throw AnnealError(
                "plugin \(path)",
                "lacks function \(place.rawValue) of the PJRT interface \(version.major).\(version.minor)",
                suggestion: "install another version of the plugin", code: .unsupported)
        }
        return function
    }

    /// Calls a function with its arguments, and sets their size field.
    func call<Arguments: PJRTArguments>(_ place: PJRT_Function, _ arguments: inout Arguments) throws {
        typealias Function = @convention(c) (UnsafeMutableRawPointer) -> OpaquePointer?
        let function = unsafeBitCast(try function(place), to: Function.self)
        arguments.struct_size = MemoryLayout<Arguments>.size
        if let error = withUnsafeMutablePointer(to: &arguments, { function(UnsafeMutableRawPointer($0)) }) {
            throw failure(error)
        }
    }

    /// Calls a function that returns nothing and cannot fail, e.g. one that destroys an object.
    func destroy<Arguments: PJRTArguments>(_ place: PJRT_Function, _ arguments: inout Arguments) {
        typealias Function = @convention(c) (UnsafeMutableRawPointer) -> OpaquePointer?
        guard let address = try? function(place) else { return }
        let function = unsafeBitCast(address, to: Function.self)
        arguments.struct_size = MemoryLayout<Arguments>.size
        let error = withUnsafeMutablePointer(to: &arguments) { function(UnsafeMutableRawPointer($0)) }
        // Only destroying an error returns nothing.
        if place != PJRT_Error_Destroy, let error { destroyError(error) }
    }

    private func destroyError(_ error: OpaquePointer) {
        var arguments = PJRT_Error_Destroy_Args()
        arguments.error = error
        destroy(PJRT_Error_Destroy, &arguments)
    }

    /// The message of an error, which is then destroyed.
    private func failure(_ error: OpaquePointer) -> AnnealError {
        typealias Ask = @convention(c) (UnsafeMutableRawPointer) -> Void
        defer { destroyError(error) }
        var text = PJRT_Error_Message_Args(), code = PJRT_Error_GetCode_Args()
        text.struct_size = MemoryLayout<PJRT_Error_Message_Args>.size
        text.error = error
        code.struct_size = MemoryLayout<PJRT_Error_GetCode_Args>.size
        code.error = error
        if let ask = try? function(PJRT_Error_Message) {
            withUnsafeMutablePointer(to: &text) { unsafeBitCast(ask, to: Ask.self)(UnsafeMutableRawPointer($0)) }
        }
        if let ask = try? function(PJRT_Error_GetCode) {
            typealias AskCode = @convention(c) (UnsafeMutableRawPointer) -> OpaquePointer?
            let nested = withUnsafeMutablePointer(to: &code) {
                unsafeBitCast(ask, to: AskCode.self)(UnsafeMutableRawPointer($0))
            }
            if let nested { destroyError(nested) }
        }
        let message =
            text.message.map {
                String(decoding: UnsafeRawBufferPointer(start: $0, count: text.message_size), as: UTF8.self)
            } ?? "an error without a message"
        // Without the positions in XLA's own source that it may end with.
        let lines = message.split(separator: "\n").filter { !$0.hasPrefix("external/") }
        let isMemory = Int(code.code) == Int(PJRT_RESOURCE_EXHAUSTED)
        return AnnealError(
            "plugin \(URL(fileURLWithPath: path).lastPathComponent)",
            lines.joined(separator: "\n").trimmingCharacters(in: .whitespacesAndNewlines),
            suggestion: isMemory ? "use a smaller --batch-size, or --recompute" : nil,
            code: isMemory ? .outOfMemory : .unsupported)
    }
}

/// A structure of arguments that begins with its size.
protocol PJRTArguments {
    var struct_size: Int { get set }
    init()
}

extension PJRT_Error_Destroy_Args: PJRTArguments {}
extension PJRT_Plugin_Initialize_Args: PJRTArguments {}
extension PJRT_Event_Args: PJRTArguments {}
extension PJRT_Client_Create_Args: PJRTArguments {}
extension PJRT_Client_Destroy_Args: PJRTArguments {}
extension PJRT_Client_Text_Args: PJRTArguments {}
extension PJRT_Client_AddressableDevices_Args: PJRTArguments {}
extension PJRT_Device_GetDescription_Args: PJRTArguments {}
extension PJRT_DeviceDescription_Id_Args: PJRTArguments {}
extension PJRT_DeviceDescription_Kind_Args: PJRTArguments {}
extension PJRT_Device_MemoryStats_Args: PJRTArguments {}
extension PJRT_Client_Compile_Args: PJRTArguments {}
extension PJRT_LoadedExecutable_GetExecutable_Args: PJRTArguments {}
extension PJRT_Executable_Destroy_Args: PJRTArguments {}
extension PJRT_LoadedExecutable_Destroy_Args: PJRTArguments {}
extension PJRT_Executable_Serialize_Args: PJRTArguments {}
extension PJRT_Executable_OptimizedProgram_Args: PJRTArguments {}
extension PJRT_TopologyDescription_Create_Args: PJRTArguments {}
extension PJRT_TopologyDescription_Destroy_Args: PJRTArguments {}
extension PJRT_Compile_Args: PJRTArguments {}
extension PJRT_Executable_DeserializeAndLoad_Args: PJRTArguments {}
extension PJRT_Executable_GetCompiledMemoryStats_Args: PJRTArguments {}
extension PJRT_LoadedExecutable_Execute_Args: PJRTArguments {}
extension PJRT_Client_BufferFromHostBuffer_Args: PJRTArguments {}
extension PJRT_Buffer_Args: PJRTArguments {}
extension PJRT_Buffer_ToHostBuffer_Args: PJRTArguments {}
extension PJRT_Buffer_CopyToDevice_Args: PJRTArguments {}

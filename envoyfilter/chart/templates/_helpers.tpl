{{/* Labels of all objects. */}}
{{- define "meshwhy.labels" -}}
{{- dict
  "app.kubernetes.io/name" "meshwhy"
  "app.kubernetes.io/instance" .Release.Name
  "app.kubernetes.io/version" .Chart.AppVersion
  "app.kubernetes.io/managed-by" .Release.Service
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version) | toJson -}}
{{- end -}}

{{/* Where the proxies are: namespaces, each perhaps with labels of pods, and what is behind names where one namespace has several. */}}
{{- define "meshwhy.places" -}}
{{- $places := list -}}
{{- $scope := .Values.scope -}}
{{- if eq $scope.mode "mesh" -}}
  {{- $places = append $places (dict "namespace" $scope.rootNamespace) -}}
{{- else if eq $scope.mode "gateways" -}}
  {{- if not $scope.gateways }}{{ fail "scope.mode gateways: name some in scope.gateways" }}{{ end -}}
  {{- range $number, $gateway := $scope.gateways -}}
    {{- $suffix := ternary "" (printf "-%d" $number) (eq $number 0) -}}
    {{- $places = append $places (dict "namespace" $gateway.namespace "labels" $gateway.labels "suffix" $suffix) -}}
  {{- end -}}
{{- else if eq $scope.mode "waypoints" -}}
  {{- /* What a Gateway has to be named for: a Telemetry reaches those of its namespace alone, and not every waypoint mounts the module. */}}
  {{- $each := list "base/telemetry.yaml" "base/envoyfilter-access-log.yaml" -}}
  {{- $all := dict "group" "gateway.networking.k8s.io" "kind" "GatewayClass" "name" "istio-waypoint" -}}
  {{- $places = append $places (dict "namespace" $scope.rootNamespace "targetRefs" (list $all) "suffix" "-waypoints" "without" $each) -}}
  {{- range $number, $waypoint := $scope.waypoints -}}
    {{- $gateway := dict "group" "gateway.networking.k8s.io" "kind" "Gateway" "name" $waypoint.name -}}
    {{- $suffix := ternary "-waypoints" (printf "-waypoints-%d" $number) (eq $number 0) -}}
    {{- $places = append $places (dict "namespace" $waypoint.namespace "targetRefs" (list $gateway) "suffix" $suffix "only" $each) -}}
  {{- end -}}
{{- else -}}
  {{- $names := $scope.namespaces -}}
  {{- if $scope.namespaceLabels -}}
    {{- range $namespace := (lookup "v1" "Namespace" "" "").items -}}
      {{- $own := $namespace.metadata.labels | default dict -}}
      {{- $fits := true -}}
      {{- range $key, $value := $scope.namespaceLabels -}}
        {{- $fits = and $fits (eq (toString $value) (toString (get $own $key))) -}}
      {{- end -}}
      {{- if $fits -}}{{- $names = append $names $namespace.metadata.name -}}{{- end -}}
    {{- end -}}
  {{- end -}}
  {{- if not $names -}}
    {{- fail "scope.mode namespaces: no namespace. Name some in scope.namespaces; for scope.namespaceLabels Helm asks the cluster, which `helm template` does only with --dry-run=server" -}}
  {{- end -}}
  {{- range $name := $names | uniq -}}
    {{- $places = append $places (dict "namespace" $name) -}}
  {{- end -}}
{{- end -}}
{{- dict "places" $places | toJson -}}
{{- end -}}

{{/* The manifests that are wanted, below files/. */}}
{{- define "meshwhy.files" -}}
{{- $files := list -}}
{{- $roles := .Values.roles -}}
{{- $sidecars := has .Values.scope.mode (list "mesh" "namespaces") -}}
{{- $waypoints := eq .Values.scope.mode "waypoints" -}}
{{- if and $waypoints (not .Values.counters) -}}
  {{- fail "scope.mode waypoints: counters: false is for sidecars and gateways" -}}
{{- end -}}
{{- if .Values.counters -}}
  {{- if $roles.http -}}{{- $files = append $files "base/wasmplugin-http.yaml" -}}{{- end -}}
  {{- if $roles.connection -}}{{- $files = append $files "base/wasmplugin-connection.yaml" -}}{{- end -}}
  {{- if and $roles.passthrough $sidecars -}}{{- $files = append $files "base/envoyfilter-passthrough.yaml" -}}{{- end -}}
{{- else -}}
  {{- if not (and $roles.http $roles.connection) -}}
    {{- fail "counters: false takes the roles http and connection together" -}}
  {{- end -}}
  {{- $files = append $files "log-only.yaml" -}}
{{- end -}}
{{- if and $waypoints $roles.http $roles.connection -}}{{- $files = append $files "waypoints.yaml" -}}{{- end -}}
{{- if and $roles.blackHole $sidecars -}}{{- $files = append $files "base/envoyfilter-black-hole.yaml" -}}{{- end -}}
{{- if $roles.accessLog -}}{{- $files = append $files "base/envoyfilter-access-log.yaml" -}}{{- end -}}
{{- if or .Values.telemetry.accessLog .Values.telemetry.tracing.enabled -}}{{- $files = append $files "base/telemetry.yaml" -}}{{- end -}}
{{- dict "files" $files | toJson -}}
{{- end -}}

{{/* What the component of the overlays adds for spans: to a Telemetry, and to the configuration of the role http. */}}
{{- define "meshwhy.traces" -}}
{{- $added := dict -}}
{{- range (.Files.Get "files/traces.yaml" | fromYaml).patches -}}
  {{- $_ := set $added .target.kind (first (fromYamlArray .patch)).value -}}
{{- end -}}
{{- $added | toJson -}}
{{- end -}}

{{/* The configuration of a role: what was given, on top of what the manifest has. */}}
{{- define "meshwhy.config" -}}
{{- $given := index .root.Values.config .key | deepCopy -}}
{{- if and (eq .key "http") .root.Values.telemetry.tracing.enabled -}}
  {{- $given = mergeOverwrite (dict "response_header" (include "meshwhy.traces" .root | fromJson).WasmPlugin) $given -}}
{{- end -}}
{{- mergeOverwrite (deepCopy .own) $given (pick .own "role") | toJson -}}
{{- end -}}

{{/* What a file of manifests says, with the module's address and hash. A configuration in an EnvoyFilter is JSON in a string. */}}
{{- define "meshwhy.text" -}}
{{- $root := .root -}}
{{- $text := $root.Files.Get (printf "files/%s" .file) -}}
{{- if not $text -}}{{- fail (printf "files/%s is missing" .file) -}}{{- end -}}
{{- $text = $text | replace "https://example.com/REPLACE-ME/meshwhy.wasm" $root.Values.module.url -}}
{{- $text = $text | replace (repeat 64 "0") $root.Values.module.sha256 -}}
{{- range $json := regexFindAll "'\\{\"role\":[^']*\\}'" $text -1 -}}
  {{- $own := $json | trimAll "'" | fromJson -}}
  {{- $key := ternary "accessLog" $own.role (eq $own.role "access_log") -}}
  {{- $config := include "meshwhy.config" (dict "root" $root "key" $key "own" $own) -}}
  {{- if ne $config ($own | toJson) -}}
    {{- $text = $text | replace $json (squote $config) -}}
  {{- end -}}
{{- end -}}
{{- $policy := ternary "FAIL_CLOSED" $root.Values.failStrategy (eq $root.Values.failStrategy "FAIL_CLOSE") -}}
{{- $text | replace "failure_policy: FAIL_OPEN" (printf "failure_policy: %s" $policy) -}}
{{- end -}}

{{/* Whether the module is fetched, and so needs an address. */}}
{{- define "meshwhy.fetches" -}}
{{- if or .Values.roles.http .Values.roles.connection .Values.roles.passthrough -}}true{{- end -}}
{{- end -}}

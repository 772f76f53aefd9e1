"""Types that the review knows and does not price, and why. Every report lists the ones it met.

A name that ends in `*` stands for all that begin so: a service of which the price book has nothing. A room, or a
line of its own in `free.py`, goes before it.
"""

from __future__ import annotations

from functools import cache

from workbench.assembly import NESTED_STACK, Resource
from workbench.review.free import FREE

NOT_READ = "a nested stack: its template is not in the assembly, so its resources are not read"

UNPRICED: dict[str, str] = {
    "AWS::Logs::SubscriptionFilter": "delivering logs is free; what receives them pays",
    "AWS::CloudWatch::AnomalyDetector": "pays by the metrics it learns from, which nothing counts",
    "AWS::XRay::SamplingRule": "changes how many traces are recorded, which the review takes as the default",
    "AWS::AutoScaling::WarmPool": "stopped instances pay for their volumes, which nothing counts",
    "Custom::AWSCDK-EKS-Cluster": "a cluster made by a custom resource is not read: use AWS::EKS::Cluster",
    "AWS::EC2::Host": "a dedicated host pays by the hour, of which the price book has nothing",
    "AWS::EC2::CapacityReservationFleet": (
        "EC2 chooses among instance types to reserve, which all have prices of their own"
    ),
    "AWS::EC2::TransitGatewayConnect": (
        "a Connect attachment: what it pays beside the attachment that carries it is not in the price book"
    ),
    "AWS::EC2::TransitGatewayConnectPeer": (
        "a Connect attachment: what it pays beside the attachment that carries it is not in the price book"
    ),
    "AWS::EC2::NetworkInsightsAccessScopeAnalysis": "pays by the analysis, which nothing counts",
    "AWS::EC2::NetworkInsightsAnalysis": "pays by the analysis, which nothing counts",
    "AWS::EC2::RouteServer": "route server endpoints pay by the hour, of which the price book has nothing",
    "AWS::EC2::RouteServerAssociation": (
        "route server endpoints pay by the hour, of which the price book has nothing"
    ),
    "AWS::EC2::RouteServerEndpoint": (
        "route server endpoints pay by the hour, of which the price book has nothing"
    ),
    "AWS::EC2::RouteServerPeer": (
        "route server endpoints pay by the hour, of which the price book has nothing"
    ),
    "AWS::EC2::RouteServerPropagation": (
        "route server endpoints pay by the hour, of which the price book has nothing"
    ),
    "AWS::EC2::VPCEncryptionControl": (
        "pays by the hour of each VPC that has resources, of which the price book has nothing"
    ),
    "AWS::EC2::VPNConcentrator": "a VPN concentrator pays by the hour, of which the price book has nothing",
    "AWS::EC2::NetworkPerformanceMetricSubscription": "what its metrics pay is not in the price book",
    "AWS::EC2::ApplicationStatusCheck": "what its metrics pay is not in the price book",
    "AWS::EC2::CapacityManagerDataExport": "what it pays is not in the price book",
    "AWS::EC2::SecondaryNetwork": "what it pays is not in the price book",
    "AWS::EC2::SqlHaStandbyDetectedInstance": "what it pays is not in the price book",
    "AWS::DirectConnect::*": (
        "ports pay by the hour and data by the gigabyte and place, of which the price book has nothing"
    ),
    "AWS::ElasticLoadBalancingV2::TrustStore": (
        "a trust store pays by the hour, of which the price book has nothing"
    ),
    "AWS::VpcLattice::ResourceConfiguration": (
        "VPC resources pay by the hour and the gigabyte, of which the price book has nothing"
    ),
    "AWS::VpcLattice::ResourceGateway": (
        "VPC resources pay by the hour and the gigabyte, of which the price book has nothing"
    ),
    "AWS::VpcLattice::ServiceNetworkResourceAssociation": (
        "VPC resources pay by the hour and the gigabyte, of which the price book has nothing"
    ),
    "AWS::NetworkFirewall::TLSInspectionConfiguration": (
        "inspecting TLS adds to the price of a firewall, of which the price book has nothing"
    ),
    "AWS::NetworkFirewall::VpcEndpointAssociation": (
        "a secondary endpoint of a firewall pays by the hour, of which the price book has nothing"
    ),
    "AWS::NetworkFirewall::ContainerAssociation": "what it pays is not in the price book",
    "AWS::NetworkManager::ConnectAttachment": (
        "core network edges and attachments pay by the hour and the gigabyte, of which the price book has "
        "nothing"
    ),
    "AWS::NetworkManager::ConnectPeer": (
        "core network edges and attachments pay by the hour and the gigabyte, of which the price book has "
        "nothing"
    ),
    "AWS::NetworkManager::CoreNetwork": (
        "core network edges and attachments pay by the hour and the gigabyte, of which the price book has "
        "nothing"
    ),
    "AWS::NetworkManager::CoreNetworkPrefixListAssociation": (
        "core network edges and attachments pay by the hour and the gigabyte, of which the price book has "
        "nothing"
    ),
    "AWS::NetworkManager::DirectConnectGatewayAttachment": (
        "core network edges and attachments pay by the hour and the gigabyte, of which the price book has "
        "nothing"
    ),
    "AWS::NetworkManager::SiteToSiteVpnAttachment": (
        "core network edges and attachments pay by the hour and the gigabyte, of which the price book has "
        "nothing"
    ),
    "AWS::NetworkManager::TransitGatewayPeering": (
        "core network edges and attachments pay by the hour and the gigabyte, of which the price book has "
        "nothing"
    ),
    "AWS::NetworkManager::TransitGatewayRouteTableAttachment": (
        "core network edges and attachments pay by the hour and the gigabyte, of which the price book has "
        "nothing"
    ),
    "AWS::NetworkManager::VpcAttachment": (
        "core network edges and attachments pay by the hour and the gigabyte, of which the price book has "
        "nothing"
    ),
    "AWS::Route53Resolver::OutpostResolver": (
        "a resolver on an Outpost pays by the hour, of which the price book has nothing"
    ),
    "AWS::Route53RecoveryReadiness::ReadinessCheck": (
        "a readiness check pays by the hour, of which the price book has nothing"
    ),
    "AWS::Route53Profiles::*": (
        "associations of profiles pay by the hour, of which the price book has nothing"
    ),
    "AWS::Route53GlobalResolver::*": (
        "a global resolver pays by region and query, of which the price book has nothing"
    ),
    "AWS::Route53::TrafficPolicyInstance": (
        "a policy record pays by the month, of which the price book has nothing"
    ),
    "AWS::Route53::CidrCollection": (
        "routing by address ranges pays by the block and the query, of which the price book has nothing"
    ),
    "AWS::ACMPCA::Certificate": "pays once, as it is issued at deployment, and not by the month",
    "AWS::PCAConnectorAD::*": (
        "a connector is free; the certificates that it issues pay, which nothing counts"
    ),
    "AWS::PCAConnectorSCEP::*": (
        "a connector is free; the certificates that it issues pay, which nothing counts"
    ),
    "AWS::CertificateManager::AcmeDomainValidation": (
        "certificates that ACME exports pay, which nothing counts"
    ),
    "AWS::CertificateManager::AcmeEndpoint": "certificates that ACME exports pay, which nothing counts",
    "AWS::CertificateManager::AcmeExternalAccountBinding": (
        "certificates that ACME exports pay, which nothing counts"
    ),
    "AWS::FMS::Policy": (
        "a policy pays by the month and region, and for the Config rules that it makes, of which nothing "
        "is counted"
    ),
    "AWS::NetworkSecurityManager::*": "what it pays is not in the price book",
    "AWS::CloudFront::StreamingDistribution": "distributions over RTMP, which AWS has ended",
    "AWS::CloudFront::AnycastIpList": (
        "static addresses of a distribution pay by the month, of which the price book has nothing"
    ),
    "AWS::CloudFront::ConnectionGroup": (
        "tenants of a distribution pay by their number, of which the price book has nothing"
    ),
    "AWS::CloudFront::DistributionTenant": (
        "tenants of a distribution pay by their number, of which the price book has nothing"
    ),
    "AWS::CloudFront::ConnectionFunction": "what mutual TLS pays is not in the price book",
    "AWS::CloudFront::TrustStore": "what mutual TLS pays is not in the price book",
    "AWS::PricingPlanManager::*": (
        "a flat-rate plan takes the place of what its resources pay by use, which the review can't know"
    ),
    "AWS::DirectoryService::SimpleAD": "pays by the hour and size, of which the price book has nothing",
    "AWS::ControlTower::*": (
        "free by itself; the Config, CloudTrail and other services that it sets up in accounts pay, which "
        "nothing counts"
    ),
    "AWS::ServiceCatalog::*": "pays by the API call, beyond a thousand a month, which nothing counts",
    "AWS::ECS::TaskSet": "its tasks pay by vCPU and memory, at a scale that the service does not show",
    "AWS::ECS::ExpressGatewayService": (
        "it makes tasks, a load balancer and logs that are not in the template"
    ),
    "AWS::ECS::Daemon": "what its tasks run on and pay is not in the price book",
    "AWS::ECS::Gateway": "what it makes and pays is not in the template, nor in the price book",
    "AWS::ECS::GatewayClusterAssociations": (
        "what it makes and pays is not in the template, nor in the price book"
    ),
    "AWS::ECR::ReplicationConfiguration": (
        "copies in other regions pay there for storage, and to get there, which nothing counts"
    ),
    "AWS::EKS::Capability": (
        "a capability pays by the hour and by what it manages, of which the price book has nothing"
    ),
    "AWS::EKS::CertificateAuthority": "what it pays is not in the price book",
    "AWS::ImageBuilder::Image": (
        "instances that build and test pay, and what images keep, which nothing counts"
    ),
    "AWS::ImageBuilder::ImagePipeline": (
        "instances that build and test pay, and what images keep, which nothing counts"
    ),
    "AWS::CloudFormation::StackSet": (
        "its stacks are in other accounts or regions, from a template that is not read"
    ),
    "AWS::CloudFormation::GuardHook": "pays by the operation of each deployment, which nothing counts",
    "AWS::CloudFormation::HookTypeConfig": "pays by the operation of each deployment, which nothing counts",
    "AWS::CloudFormation::HookVersion": "pays by the operation of each deployment, which nothing counts",
    "AWS::CloudFormation::LambdaHook": "pays by the operation of each deployment, which nothing counts",
    "AWS::CloudFormation::ResourceVersion": "pays by the operation of each deployment, which nothing counts",
    "AWS::CloudFormation::TypeActivation": "pays by the operation of each deployment, which nothing counts",
    "AWS::LicenseManagerUserSubscriptions::*": (
        "licences pay by the user and month, of which the price book has nothing"
    ),
    "AWS::Lambda::CapacityProvider": (
        "managed instances pay as EC2 does, with a fee on top, of which the price book has nothing"
    ),
    "AWS::Lambda::MicrovmImage": "what it pays is not in the price book",
    "AWS::Lambda::NetworkConnector": "what it pays is not in the price book",
    "AWS::Lambda::WebFunction": "what it pays is not in the price book",
    "AWS::Lambda::WebFunctionEndpoint": "what it pays is not in the price book",
    "AWS::Lambda::WebFunctionRevision": "what it pays is not in the price book",
    "AWS::ARCRegionSwitch::Plan": "a plan pays by the month, of which the price book has nothing",
    "AWS::Interconnect::*": (
        "connections to other clouds pay by the hour, of which the price book has nothing"
    ),
    "AWS::NetworkFlowMonitor::*": (
        "pays by the resource that is monitored, and its metrics, which nothing counts"
    ),
    "AWS::NetworkMonitor::*": "pays by the resource that is monitored, and its metrics, which nothing counts",
    "AWS::AppFlow::Flow": "runs and data pay, of which the price book has nothing",
    "AWS::AppStream::*": "streaming instances and users pay, of which the price book has nothing",
    "AWS::Batch::ServiceEnvironment": (
        "its jobs are SageMaker training jobs, which pay by the hour and which nothing counts"
    ),
    "AWS::CleanRooms::*": "queries pay by the hour of their capacity, of which the price book has nothing",
    "AWS::CleanRoomsML::*": "training pays by the profile, of which the price book has nothing",
    "AWS::Cloud9::*": "free by itself; the instance that it starts pays, and is in no template",
    "AWS::Comprehend::*": (
        "training and endpoints of models of one's own pay, of which the price book has nothing"
    ),
    "AWS::DMS::DataMigration": (
        "a homogeneous migration pays by the hour, of which the price book has nothing"
    ),
    "AWS::DataBrew::*": "sessions and node-hours of jobs pay, of which the price book has nothing",
    "AWS::DataPipeline::*": "AWS takes no new customers, and the price book has nothing of it",
    "AWS::DataSync::Task": "data copied pays by the gigabyte, of which the price book has nothing",
    "AWS::DataZone::*": "users, requests and metadata pay, of which the price book has nothing",
    "AWS::Deadline::*": "workers pay by the hour, of which the price book has nothing",
    "AWS::DocDB::GlobalCluster": (
        "writes replicated to other regions pay, of which the price book has nothing"
    ),
    "AWS::DocDBElastic::*": "elastic clusters pay by the vCPU, of which the price book has nothing",
    "AWS::EMR::*": "EMR adds a price of its own to each instance, of which the price book has nothing",
    "AWS::EMRContainers::*": (
        "EMR adds a price of its own to vCPUs and memory of pods, of which the price book has nothing"
    ),
    "AWS::ElastiCache::GlobalReplicationGroup": "data between the regions pays, which nothing counts",
    "AWS::ElastiCache::ServerlessCacheSnapshot": "snapshots pay by the gigabyte, which nothing counts",
    "AWS::ElastiCache::Snapshot": "snapshots pay by the gigabyte, which nothing counts",
    "AWS::ElasticBeanstalk::Environment": (
        "the instances and the balancer that it starts pay, and are in no template"
    ),
    "AWS::EntityResolution::*": "records that are matched pay, of which the price book has nothing",
    "AWS::FSx::Backup": "backups pay by the gigabyte, of which the price book has nothing",
    "AWS::FSx::FileCache": "a cache pays by the gigabyte and hour, of which the price book has nothing",
    "AWS::FSx::S3AccessPointAttachment": "requests through it pay, which nothing counts",
    "AWS::FinSpace::*": "AWS has ended FinSpace's data browser, and the price book has nothing of the rest",
    "AWS::Forecast::*": "AWS takes no new customers, and the price book has nothing of it",
    "AWS::FraudDetector::*": "AWS takes no new customers, and the price book has nothing of it",
    "AWS::GameLift::*": "fleets pay by the hour of their instances, of which the price book has nothing",
    "AWS::Glue::Catalog": (
        "a catalogue of Redshift storage pays by what it holds and runs, which nothing counts"
    ),
    "AWS::Glue::DataQualityRuleset": "its evaluations pay by the DPU-hour, which nothing counts",
    "AWS::Glue::Integration": "what is replicated pays by the gigabyte, of which the price book has nothing",
    "AWS::Glue::MLTransform": "its runs pay by the DPU-hour, which nothing counts",
    "AWS::Glue::Session": "pays by the DPU-hour while somebody works in it, which nothing counts",
    "AWS::Glue::TableOptimizer": "compaction pays by the DPU-hour, which nothing counts",
    "AWS::HealthLake::*": "a store pays by the hour and the gigabyte, of which the price book has nothing",
    "AWS::IVS::*": "real-time streaming pays by participants' hours, of which the price book has nothing",
    "AWS::IVSChat::*": "messages sent and delivered pay, of which the price book has nothing",
    "AWS::Kendra::*": "an index pays by the hour, of which the price book has nothing",
    "AWS::KendraRanking::*": "a plan pays by the hour, of which the price book has nothing",
    "AWS::Kinesis::Channel": "what it pays is not in the price book",
    "AWS::KinesisAnalytics::*": "AWS has ended Kinesis Data Analytics for SQL",
    "AWS::KinesisVideo::*": (
        "video in, out and held pays by the gigabyte, of which the price book has nothing"
    ),
    "AWS::LakeFormation::DataCellsFilter": (
        "what engines read through a filter may pay by the terabyte, which nothing counts"
    ),
    "AWS::Lex::*": "requests of speech and text pay, of which the price book has nothing",
    "AWS::Lightsail::*": "pays by the month of its plan, of which the price book has nothing",
    "AWS::LookoutEquipment::*": "AWS takes no new customers, and the price book has nothing of it",
    "AWS::LookoutVision::*": "AWS has ended Lookout for Vision",
    "AWS::MSK::Channel": "what it pays is not in the price book",
    "AWS::MSK::VpcConnection": (
        "what a connection into another VPC pays, beside the cluster, is not in the price book"
    ),
    "AWS::MWAAServerless::*": "tasks pay by the hour, of which the price book has nothing",
    "AWS::MediaConnect::*": (
        "gateways, bridges and routers pay by the hour, of which the price book has nothing"
    ),
    "AWS::MediaLive::*": (
        "each input and output pays by codec, resolution and bitrate, of which the price book has one example"
    ),
    "AWS::MediaPackage::PackagingGroup": (
        "packaging of stored videos pays by the gigabyte, which is not in the price book"
    ),
    "AWS::MediaStore::*": "AWS has ended MediaStore",
    "AWS::MediaTailor::Function": "what it pays is not in the price book",
    "AWS::MemoryDB::MultiRegionCluster": (
        "writes replicated to other regions pay, of which the price book has nothing"
    ),
    "AWS::MemoryDB::Snapshot": "snapshots pay by the gigabyte, which nothing counts",
    "AWS::Neptune::GlobalCluster": (
        "writes replicated to other regions pay, of which the price book has nothing"
    ),
    "AWS::NeptuneGraph::*": "graphs pay by their provisioned memory, of which the price book has nothing",
    "AWS::ODB::*": "Oracle's machines pay by the hour, of which the price book has nothing",
    "AWS::OSIS::Pipeline": "ingestion units pay by the hour, of which the price book has nothing",
    "AWS::Omics::*": "data held and runs pay, of which the price book has nothing",
    "AWS::OpenSearchServerless::CollectionGroup": (
        "its collections share units whose floor depends on its generation"
    ),
    "AWS::OpenSearchService::Application": (
        "what the application for dashboards pays is not in the price book"
    ),
    "AWS::PCS::*": "clusters and nodes pay by the hour, of which the price book has nothing",
    "AWS::Personalize::*": "data, training and recommendations pay, of which the price book has nothing",
    "AWS::Polly::*": "a lexicon is free; what is spoken pays by the character, and no resource counts it",
    "AWS::QLDB::*": "AWS has ended QLDB",
    "AWS::RDS::ClusterSnapshot": "snapshots pay by the gigabyte, which nothing counts",
    "AWS::RDS::CustomDBEngineVersion": "the image and the files that it is made of pay, which nothing counts",
    "AWS::RDS::DBProxyEndpoint": "what a further endpoint of a proxy pays is not in the price book",
    "AWS::RDS::DBShardGroup": "Aurora Limitless pays by the capacity of all its shards, which nothing counts",
    "AWS::RDS::DBSnapshot": "snapshots pay by the gigabyte, which nothing counts",
    "AWS::RDS::Deployment": (
        "a second copy of the database pays while a blue/green deployment lasts, which nothing counts"
    ),
    "AWS::RDS::Integration": (
        "zero-ETL integrations pay by what the source and the target do, which nothing counts"
    ),
    "AWS::Redshift::EndpointAccess": "what an endpoint in another VPC pays is not in the price book",
    "AWS::Redshift::Integration": (
        "zero-ETL integrations pay by what the source and the target do, which nothing counts"
    ),
    "AWS::Redshift::Snapshot": "manual snapshots pay by the gigabyte, which nothing counts",
    "AWS::RedshiftServerless::Snapshot": "snapshots pay by the gigabyte, which nothing counts",
    "AWS::Rekognition::Dataset": (
        "custom labels pay by the hour of training and inference, which nothing counts"
    ),
    "AWS::Rekognition::Project": (
        "custom labels pay by the hour of training and inference, which nothing counts"
    ),
    "AWS::Rekognition::StreamProcessor": (
        "streamed video pays by the minute, of which the price book has nothing"
    ),
    "AWS::S3::AccessGrantsInstance": "requests for access pay, of which the price book has nothing",
    "AWS::S3::MultiRegionAccessPoint": (
        "data routed through it pays by the gigabyte, of which the price book has nothing"
    ),
    "AWS::S3::StorageLens": (
        "free metrics are free; the advanced ones pay by the object, which nothing counts"
    ),
    "AWS::S3Files::*": "what it pays is not in the price book",
    "AWS::S3ObjectLambda::AccessPoint": (
        "data returned through it pays by the gigabyte, of which the price book has nothing"
    ),
    "AWS::S3Outposts::*": "an Outpost pays by its contract",
    "AWS::SageMaker::*": "what it runs pays by the hour of its instances, which nothing counts",
    "AWS::SageMaker::Domain": (
        "the apps of its users pay by the hour and their files by the gigabyte, which nothing counts"
    ),
    "AWS::SageMaker::FeatureGroup": (
        "reads, writes and data of a feature store pay, of which the price book has nothing"
    ),
    "AWS::SageMaker::Pipeline": (
        "the jobs of its steps pay by the hour of their instances, which nothing counts"
    ),
    "AWS::StorageGateway::*": (
        "data written and held pays by the gigabyte, of which the price book has nothing"
    ),
    "AWS::Textract::*": (
        "pages read with an adapter have a price of their own, which is not in the price book"
    ),
    "AWS::Timestream::InfluxDBBackup": "backups pay by the gigabyte, of which the price book has nothing",
    "AWS::Timestream::InfluxDBCluster": (
        "its read replicas need a licence, of which the price book has nothing"
    ),
    "AWS::Transfer::Connector": "its calls pay by number, of which the price book has nothing",
    "AWS::Transfer::WebApp": "a web app pays by the hour of its units, of which the price book has nothing",
    "AWS::Transfer::Workflow": "decrypting pays by the gigabyte, of which the price book has nothing",
    "AWS::WorkSpaces::*": "desktops pay by the month or the hour, of which the price book has nothing",
    "AWS::WorkSpacesWeb::*": "users pay by the month, of which the price book has nothing",
    "AWS::WorkspacesInstances::*": (
        "instances pay by the month or the hour, of which the price book has nothing"
    ),
    "AWS::ApiGatewayV2::Portal*": "portals pay by the month, of which the price book has nothing",
    "AWS::SES::MailManager*": (
        "email that Mail Manager handles pays by the message and the gigabyte, of which the price book has nothing"
    ),
    "AWS::SES::MultiRegionEndpoint": (
        "emails through an endpoint of several regions pay more, of which the price book has nothing"
    ),
    "AWS::SES::Tenant": "what it pays is not in the price book",
    "AWS::SES::EmailIdentityCertificate": "what it pays is not in the price book",
    "AWS::AppConfig::ExperimentDefinition": "what it pays is not in the price book",
    "AWS::AppConfig::ExperimentRun": "what it pays is not in the price book",
    "AWS::EventsV2::*": "what it pays is not in the price book",
    "AWS::CloudWatch::Integration": "what it pays is not in the price book",
    "AWS::CloudWatch::LogAlarm": "what it pays is not in the price book",
    "AWS::CloudWatch::OTelEnrichment": "what it pays is not in the price book",
    "AWS::CloudWatch::ResourceMetricsConfiguration": "what it pays is not in the price book",
    "AWS::CloudWatch::View": "what it pays is not in the price book",
    "AWS::Logs::StorageTierPolicy": "what it pays is not in the price book",
    "AWS::ApplicationSignals::InstrumentationConfig": "what it pays is not in the price book",
    "AWS::ObservabilityAdmin::*": "what it pays is not in the price book",
    "AWS::Bedrock::RetrievalInstruction": "what it pays is not in the price book",
    "AWS::Bedrock::Session": "what it pays is not in the price book",
    "AWS::BedrockMantle::*": "what it pays is not in the price book",
    "AWS::SSM::CloudConnector": "what it pays is not in the price book",
    "AWS::GuardDuty::CustomDetectionRuleAssociation": "what it pays is not in the price book",
    "AWS::InspectorV2::Connector": "what it pays is not in the price book",
    "AWS::Config::Connector": "what it pays is not in the price book",
    "AWS::AIOps::*": "what it pays is not in the price book",
    "AWS::MPA::*": "what it pays is not in the price book",
    "AWS::Invoicing::*": "what it pays is not in the price book",
    "AWS::SMSVOICE::*": (
        "numbers, sender ids and registrations pay by the month and country, of which the price book has nothing"
    ),
    "AWS::Pinpoint::*": "Pinpoint, which AWS ended in October 2026",
    "AWS::PinpointEmail::*": "Pinpoint, which AWS ended in October 2026",
    "AWS::Events::Endpoint": "events that are replicated to another region pay there, which nothing counts",
    "AWS::CodeBuild::Fleet": (
        "reserved machines pay by the minute, used or not, of which the price book has nothing"
    ),
    "AWS::CodeArtifact::*": (
        "packages pay by the gigabyte and the request, of which the price book has nothing"
    ),
    "AWS::CodeCommit::Repository": "users pay by the month, beyond five, of which the price book has nothing",
    "AWS::CodeGuruReviewer::*": "pays by the line of code, of which the price book has nothing",
    "AWS::CodeGuruProfiler::*": "pays by the hour that is sampled, of which the price book has nothing",
    "AWS::Amplify::*": (
        "hosting pays by the build minute, the gigabyte and the request, of which the price book has nothing"
    ),
    "AWS::SSM::Document": "free by itself; the steps of an automation pay, which nothing counts",
    "AWS::SSM::OpsItem": "pays by the operational item, of which the price book has nothing",
    "AWS::SSM::ServiceSetting": "a setting of the account, of which some pay",
    "AWS::SSMIncidents::*": "response plans pay by the month, of which the price book has nothing",
    "AWS::SSMContacts::*": "response plans pay by the month, of which the price book has nothing",
    "AWS::SSMQuickSetup::*": "it sets up other services in accounts, which pay, and which nothing counts",
    "AWS::CloudTrail::Channel": "events from outside AWS pay by the gigabyte that a data store takes in",
    "AWS::CloudTrail::Dashboard": "its queries pay by what they scan, which nothing counts",
    "AWS::Config::ConformancePack": "its rules pay by the evaluation, which nothing counts",
    "AWS::Config::OrganizationConfigRule": "its rules pay by the evaluation, which nothing counts",
    "AWS::Config::OrganizationConformancePack": "its rules pay by the evaluation, which nothing counts",
    "AWS::Config::RemediationConfiguration": (
        "the automation that it runs pays by the step, which nothing counts"
    ),
    "AWS::SecurityHub::AutomationRule": (
        "pays by the rule and finding that it looks at, of which the price book has nothing"
    ),
    "AWS::SecurityHub::AutomationRuleV2": (
        "pays by the rule and finding that it looks at, of which the price book has nothing"
    ),
    "AWS::SecurityHub::HubV2": "pays by the resource that it watches, of which the price book has nothing",
    "AWS::SecurityHub::AggregatorV2": (
        "pays by the resource that it watches, of which the price book has nothing"
    ),
    "AWS::SecurityHub::Connector": (
        "pays by the resource that it watches, of which the price book has nothing"
    ),
    "AWS::SecurityHub::ConnectorV2": (
        "pays by the resource that it watches, of which the price book has nothing"
    ),
    "AWS::InspectorV2::CisScanConfiguration": (
        "scans pay by the instance or the repository, of which the price book has nothing"
    ),
    "AWS::InspectorV2::CodeSecurityIntegration": (
        "scans pay by the instance or the repository, of which the price book has nothing"
    ),
    "AWS::InspectorV2::CodeSecurityScanConfiguration": (
        "scans pay by the instance or the repository, of which the price book has nothing"
    ),
    "AWS::Inspector::*": "Inspector Classic, which AWS ended in May 2026",
    "AWS::Detective::Graph": (
        "pays by the gigabyte of events that it reads, of which the price book has nothing"
    ),
    "AWS::Logs::Integration": "what OpenSearch holds and computes for it pays there, which nothing counts",
    "AWS::XRay::TransactionSearchConfig": (
        "spans pay as logs and the indexed ones as traces, which nothing counts"
    ),
    "AWS::ApplicationSignals::ServiceLevelObjective": (
        "pays by the signals that it makes, which nothing counts"
    ),
    "AWS::ApplicationInsights::Application": (
        "it makes alarms, log groups and rules that are not in the template"
    ),
    "AWS::Evidently::*": "Evidently, which AWS ended in October 2025",
    "AWS::FIS::TargetAccountConfiguration": (
        "each further account pays by the action minute, of which the price book has nothing"
    ),
    "AWS::APS::Scraper": (
        "pays by the collector hour and the samples that it collects, of which the price book has nothing"
    ),
    "AWS::APS::RuleGroupsNamespace": (
        "its queries pay by the samples that they process, of which the price book has nothing"
    ),
    "AWS::APS::AnomalyDetector": (
        "its queries pay by the samples that they process, of which the price book has nothing"
    ),
    "AWS::Cognito::UserPoolReplica": (
        "users of a replica pay in its region too, of which the price book has nothing"
    ),
    "AWS::Cognito::UserPoolRegionalConfigurationAttachment": (
        "users of a replica pay in its region too, of which the price book has nothing"
    ),
    "AWS::IoT::AccountAuditConfiguration": (
        "Device Defender pays by the device and the metric, of which the price book has nothing"
    ),
    "AWS::IoT::CustomMetric": (
        "Device Defender pays by the device and the metric, of which the price book has nothing"
    ),
    "AWS::IoT::Dimension": (
        "Device Defender pays by the device and the metric, of which the price book has nothing"
    ),
    "AWS::IoT::MitigationAction": (
        "Device Defender pays by the device and the metric, of which the price book has nothing"
    ),
    "AWS::IoT::ScheduledAudit": (
        "Device Defender pays by the device and the metric, of which the price book has nothing"
    ),
    "AWS::IoT::SecurityProfile": (
        "Device Defender pays by the device and the metric, of which the price book has nothing"
    ),
    "AWS::IoT::FleetMetric": (
        "indexing a fleet pays by the update and the query, of which the price book has nothing"
    ),
    "AWS::IoT::Command": "actions on devices pay by the action, of which the price book has nothing",
    "AWS::IoT::Job": "actions on devices pay by the action, of which the price book has nothing",
    "AWS::IoT::SoftwarePackage": "actions on devices pay by the action, of which the price book has nothing",
    "AWS::IoT::SoftwarePackageVersion": (
        "actions on devices pay by the action, of which the price book has nothing"
    ),
    "AWS::IoT::Stream": "actions on devices pay by the action, of which the price book has nothing",
    "AWS::IoTAnalytics::*": "devices and their data pay by use, of which the price book has nothing",
    "AWS::IoTCoreDeviceAdvisor::*": "devices and their data pay by use, of which the price book has nothing",
    "AWS::IoTFleetWise::*": "devices and their data pay by use, of which the price book has nothing",
    "AWS::IoTSecureTunneling::*": "devices and their data pay by use, of which the price book has nothing",
    "AWS::IoTSiteWise::*": "devices and their data pay by use, of which the price book has nothing",
    "AWS::IoTThingsGraph::*": "devices and their data pay by use, of which the price book has nothing",
    "AWS::IoTTwinMaker::*": "devices and their data pay by use, of which the price book has nothing",
    "AWS::IoTWireless::*": "devices and their data pay by use, of which the price book has nothing",
    "AWS::Greengrass::*": "devices and their data pay by use, of which the price book has nothing",
    "AWS::GreengrassV2::*": "devices and their data pay by use, of which the price book has nothing",
    "AWS::Bedrock::DataSource": (
        "its tokens are those of the knowledge base, but for a model that reads documents, which nothing counts"
    ),
    "AWS::Bedrock::Flow": (
        "pays by the step from node to node, of which the price book has nothing, and for its models"
    ),
    "AWS::Bedrock::AutomatedReasoningPolicy": (
        "pays by the text unit that it checks, of which the price book has nothing"
    ),
    "AWS::Bedrock::AutomatedReasoningPolicyVersion": (
        "pays by the text unit that it checks, of which the price book has nothing"
    ),
    "AWS::Bedrock::DataAutomationProject": (
        "pays by the page, the image and the minute, of which the price book has nothing"
    ),
    "AWS::Bedrock::DataAutomationLibrary": (
        "pays by the page, the image and the minute, of which the price book has nothing"
    ),
    "AWS::Bedrock::Blueprint": (
        "pays by the page, the image and the minute, of which the price book has nothing"
    ),
    "AWS::Bedrock::IntelligentPromptRouter": (
        "pays for the tokens of the model that it chooses, and for the choice, of which the price book has nothing"
    ),
    "AWS::Bedrock::EnforcedGuardrailConfiguration": (
        "it puts a guardrail before every call of the account, which nothing counts"
    ),
    "AWS::BedrockAgentCore::*": (
        "memory, gateways, tools and evaluations pay by use, of which the price book has nothing"
    ),
    "AWS::Connect::*": "what it pays by the month or the message is not in the price book",
    "AWS::AppIntegrations::*": (
        "contacts, profiles, cases and assistants pay by use, of which the price book has nothing"
    ),
    "AWS::Cases::*": (
        "contacts, profiles, cases and assistants pay by use, of which the price book has nothing"
    ),
    "AWS::ConnectCampaigns::*": (
        "contacts, profiles, cases and assistants pay by use, of which the price book has nothing"
    ),
    "AWS::ConnectCampaignsV2::*": (
        "contacts, profiles, cases and assistants pay by use, of which the price book has nothing"
    ),
    "AWS::CustomerProfiles::*": (
        "contacts, profiles, cases and assistants pay by use, of which the price book has nothing"
    ),
    "AWS::VoiceID::*": (
        "contacts, profiles, cases and assistants pay by use, of which the price book has nothing"
    ),
    "AWS::Wisdom::*": (
        "contacts, profiles, cases and assistants pay by use, of which the price book has nothing"
    ),
    "AWS::QuickSight::*": "readers and authors pay by the month, and no resource of a template names them",
    "AWS::Budgets::BudgetsAction": (
        "two budgets with actions are free; a further one pays by the day, of which the price book has nothing"
    ),
    "AWS::BcmPricingCalculator::*": (
        "estimates pay beyond the first of a month, of which the price book has nothing"
    ),
    "AWS::BCM::*": "estimates pay beyond the first of a month, of which the price book has nothing",
    "AWS::BillingConductor::*": "pays by the account that is billed, of which the price book has nothing",
    "AWS::DevOpsGuru::*": "pays by the resource that it analyses, of which the price book has nothing",
    "AWS::ResilienceHub::*": "pays by the resource that it analyses, of which the price book has nothing",
    "AWS::ResilienceHubV2::*": "pays by the resource that it analyses, of which the price book has nothing",
    "AWS::AuditManager::*": "pays by the resource that it analyses, of which the price book has nothing",
    "AWS::SecurityLake::*": (
        "pays by the gigabyte that it takes in and changes, of which the price book has nothing"
    ),
    "AWS::Proton::*": "it makes the resources of its templates, which are not read",
    "AWS::Serverless::Application": "it is a nested stack of a repository's template, which is not read",
    "AWS::ServerlessRepo::*": "it makes the resources of its templates, which are not read",
    "AWS::AWSExternalAnthropic::*": (
        "pays by what its agents and models do, of which the price book has nothing"
    ),
    "AWS::AgentRegistry::*": "pays by what its agents and models do, of which the price book has nothing",
    "AWS::DevOpsAgent::*": "pays by what its agents and models do, of which the price book has nothing",
    "AWS::HealthAgent::*": "pays by what its agents and models do, of which the price book has nothing",
    "AWS::NovaAct::*": "pays by what its agents and models do, of which the price book has nothing",
    "AWS::SecurityAgent::*": "pays by what its agents and models do, of which the price book has nothing",
    "AWS::AccountAccess::*": "what it pays is not in the price book",
    "AWS::ComputeOptimizer::*": "what it pays is not in the price book",
    "AWS::ElementalInference::*": "what it pays is not in the price book",
    "AWS::RTBFabric::*": "what it pays is not in the price book",
    "AWS::AppFabric::*": "pays by the user and application, of which the price book has nothing",
    "AWS::B2BI::*": "pays by the document that is exchanged, of which the price book has nothing",
    "AWS::M2::*": (
        "mainframe applications pay by the hour and by the test, of which the price book has nothing"
    ),
    "AWS::AppTest::*": (
        "mainframe applications pay by the hour and by the test, of which the price book has nothing"
    ),
    "AWS::Backup::Framework": "pays by the evaluation of each control, of which the price book has nothing",
    "AWS::Backup::LogicallyAirGappedBackupVault": (
        "of what an air-gapped vault holds the price book knows EBS and DynamoDB alone"
    ),
    "AWS::Backup::RestoreTestingPlan": "each test pays for what it restores, which nothing counts",
    "AWS::Backup::RestoreTestingSelection": "each test pays for what it restores, which nothing counts",
    "AWS::Backup::TieringConfiguration": (
        "what moves to a colder tier pays for the move, which nothing counts"
    ),
    "AWS::Chime::*": (
        "pays by the minute, the message and the telephone number, of which the price book has nothing"
    ),
    "AWS::DRS::*": "pays by the hour of each server that is copied, of which the price book has nothing",
    "AWS::DataExchange::*": "data pays what its provider asks for it",
    "AWS::EVS::*": "hosts pay by the hour or by contract, of which the price book has nothing",
    "AWS::Outposts::*": "hosts pay by the hour or by contract, of which the price book has nothing",
    "AWS::GroundStation::*": "pays by the minute of a contact, of which the price book has nothing",
    "AWS::HealthImaging::*": "pays by the gigabyte and the request, of which the price book has nothing",
    "AWS::LaunchWizard::*": "what it deploys is in another template, which is not read",
    "AWS::MGN::*": "servers that are moved pay for the machines that copy them, which nothing counts",
    "AWS::ManagedBlockchain::*": "members and nodes pay by the hour, of which the price book has nothing",
    "AWS::OpenSearch::*": "querying data where it lies pays by the unit-hour, which nothing counts",
    "AWS::PI::*": "what keeps and analyses the load of databases pays is not in the price book",
    "AWS::Panorama::*": "a service that AWS has ended, and of which the price book has nothing",
    "AWS::SimSpaceWeaver::*": "a service that AWS has ended, and of which the price book has nothing",
    "AWS::PaymentCryptography::*": "keys and requests pay, of which the price book has nothing",
    "AWS::QBusiness::*": "pays by the user and the index unit, of which the price book has nothing",
    "AWS::Rbin::*": "what it keeps after it was deleted pays on, which nothing counts",
    "AWS::RefactorSpaces::*": (
        "an environment pays by the hour and the request, of which the price book has nothing"
    ),
    "AWS::SCN::*": "pays by the application and the data, of which the price book has nothing",
    "AWS::SDB::*": "domains pay by the machine-hour and the gigabyte, of which the price book has nothing",
    "AWS::SystemsManagerSAP::*": "what it pays is not in the price book",
    "AWS::WAF::*": "the older WAF, which has given way to AWS::WAFv2",
    "AWS::WAFRegional::*": "the older WAF, which has given way to AWS::WAFv2",
    "AWS::WellArchitected::AgentContext": "pays by what its agent does, of which the price book has nothing",
    "AWS::WellArchitected::AgentGoal": "pays by what its agent does, of which the price book has nothing",
    "AWS::WellArchitected::AgentProfile": "pays by what its agent does, of which the price book has nothing",
    "AWS::Wickr::*": "pays by the user and month, of which the price book has nothing",
    "AWS::WorkSpacesThinClient::*": "pays by the device and month, of which the price book has nothing",
}

_STANDS_FOR_OTHERS = (
    "a {} stands for other resources: review what it expands to, the template that "
    "`aws cloudformation get-template --template-stage Processed` or a change set of the stack gives"
)

# Types that CloudFormation never sees, and what to do to get at those that it does.
MACROS: dict[str, str] = {"AWS::Serverless::*": _STANDS_FOR_OTHERS.format("macro")}
_MODULE, _OF_MODULES = "::MODULE", _STANDS_FOR_OTHERS.format("module")


@cache
def unpriced_type(resource_type: str) -> str | None:
    """Why `resource_type`, which has no room, is not priced; None when it is free or not known."""
    why = UNPRICED.get(resource_type)
    if why is not None or resource_type in FREE:
        return why
    return _by_prefix(UNPRICED, resource_type)


def why_unpriced(resource: Resource) -> str | None:
    """Why `resource`, whose type has no room, is not priced; None when it is free or not known.

    A nested stack is free, for its resources pay; but one whose template is not in the assembly hides them.
    """
    if resource.type == NESTED_STACK and resource.logical_id not in resource.stack.nested:
        return NOT_READ
    return unpriced_type(resource.type)


def macro_type(resource_type: str) -> str | None:
    """What to do about `resource_type` when a macro or a module stands for it; None for a resource."""
    return _OF_MODULES if resource_type.endswith(_MODULE) else _by_prefix(MACROS, resource_type)


def _by_prefix(table: dict[str, str], resource_type: str) -> str | None:
    for name, why in table.items():
        if name.endswith("*") and resource_type.startswith(name[:-1]):
            return why
    return None
